#include "projections/postgres/conninfo.h"

#include <map>
#include <memory>

#include <libpq-fe.h>

#include "core/error.h"

namespace tenantry::projections::postgres {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using Options = std::unique_ptr<PQconninfoOption, FreeOptions>;
using Keywords = std::map<std::string, std::string>;

// A server that is gone is noticed within half a minute, also while it owes an answer.
constexpr std::pair<const char*, const char*> kDefaults[] = {
    {"fallback_application_name", "tenantry"},
    {"connect_timeout", "10"},
    {"keepalives_idle", "15"},
    {"keepalives_interval", "5"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "30000"},
};

Keywords named_keywords(const std::string& text) {
  char* message = nullptr;
  const Options parsed(PQconninfoParse(text.c_str(), &message));
  PQfreemem(message);  // It would repeat a password.
  if (parsed == nullptr) {
    throw UsageError("unsupported_read_model",
                     "the read model's URL is not one that PostgreSQL's client understands",
                     "postgresql://USER@HOST:PORT/DATABASE, or host=… dbname=… user=…");
  }
  Keywords keywords;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) keywords[option->keyword] = option->val;
  }
  return keywords;
}

// What libpq will use where the text says nothing.
std::string default_of(const char* keyword) {
  const Options defaults(PQconndefaults());
  for (const PQconninfoOption* option = defaults.get();
       option != nullptr && option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == keyword && option->val != nullptr) return option->val;
  }
  return {};
}

std::string value_of(const Keywords& keywords, const char* keyword) {
  const auto found = keywords.find(keyword);
  return found == keywords.end() ? default_of(keyword) : found->second;
}

std::string database_of(const Keywords& keywords) {
  const auto service = keywords.find("service");
  if (service != keywords.end()) return service->second;
  const std::string database = value_of(keywords, "dbname");
  return database.empty() ? value_of(keywords, "user") : database;
}

std::string name_of(const Keywords& keywords) {
  if (keywords.contains("service")) return "postgresql service " + database_of(keywords);
  const std::string user = value_of(keywords, "user");
  std::string host = value_of(keywords, "host");
  if (host.empty()) host = value_of(keywords, "hostaddr");
  const std::string port = value_of(keywords, "port");
  const std::string begin = "postgresql://" + (user.empty() ? "" : user + "@");
  const std::string end = "/" + database_of(keywords);
  // A socket's directory, an IPv6 address or several hosts: a URL has them behind the database.
  if (host.empty() || host.find_first_of("/@:,") != std::string::npos) {
    return begin + end + "?" + (host.empty() ? "" : "host=" + host + "&") + "port=" + port;
  }
  return begin + host + ":" + port + end;
}

std::string quoted(const std::string& value) {
  std::string out = "'";
  for (const char c : value) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

}  // namespace

ConnectionInfo parse_connection(const std::string& text) {
  Keywords keywords = named_keywords(text);
  ConnectionInfo info;
  info.name = name_of(keywords);
  info.database = database_of(keywords);
  info.has_password = keywords.contains("password");
  for (const auto& [keyword, value] : kDefaults) keywords.try_emplace(keyword, value);
  keywords["client_encoding"] = "UTF8";
  for (const auto& [keyword, value] : keywords) {
    info.keywords += (info.keywords.empty() ? "" : " ") + keyword + "=" + quoted(value);
  }
  return info;
}

}  // namespace tenantry::projections::postgres
