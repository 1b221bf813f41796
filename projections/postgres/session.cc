#include "projections/postgres/session.h"

#include "projections/postgres/connection.h"

namespace tenantry::projections::postgres {
namespace {

std::string first_line(const std::string& text) {
  constexpr std::string_view kError = "ERROR:  ";
  std::string line = text.substr(0, text.find('\n'));
  if (line.starts_with(kError)) line.erase(0, kError.size());
  return line;
}

void forbid_reconnecting(pqxx::connection_base& connection) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  // Newer versions have no such switch because they no longer connect anew.
  connection.inhibit_reactivation(true);
#pragma GCC diagnostic pop
}

}  // namespace

Session::Session(const ConnectionInfo& info) : name_(info.name) {
  try {
    connection_ = std::make_unique<pqxx::connection>(info.keywords);
  } catch (const pqxx::failure&) {
    // Its message has no code. The adapter's has one, and says what to do.
    const Connection again(info);
    raise_server_error(name_, {{}, "the connection was lost", {}, {}, {}});
  }
  cut_off_.emplace(info.stop, connection_->sock());
  translated([&] {
    forbid_reconnecting(*connection_);
    pqxx::nontransaction settings(*connection_);
    settings.exec(kSessionSettings);
  });
}

Session::~Session() = default;

bool Session::usable() const {
  return connection_->is_open() && !has_unread_input(connection_->sock());
}

void Session::translated(const std::function<void()>& body) const {
  // In 6.4 some of these are no sql_error, or carry no code: they come first.
  try {
    body();
  } catch (const pqxx::too_many_connections& error) {  // Derived from the next.
    raise_server_error(name_, {"53300", first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::broken_connection& error) {
    raise_server_error(name_, {{}, first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::deadlock_detected& error) {
    raise_server_error(name_, {"40P01", first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::serialization_failure& error) {
    raise_server_error(name_, {"40001", first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::insufficient_privilege& error) {
    raise_server_error(name_, {"42501", first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::sql_error& error) {
    // A session that was ended reports 57P01 as an ordinary error once.
    raise_server_error(name_, {error.sqlstate(), first_line(error.what()), {}, {}, {}});
  } catch (const pqxx::failure& error) {
    raise_server_error(name_, {{}, first_line(error.what()), {}, {}, {}});
  }
}

}  // namespace tenantry::projections::postgres
