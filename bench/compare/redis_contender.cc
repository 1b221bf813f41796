#include <stdexcept>

#include "bench/compare/contender.h"

#if TENANTRY_BENCH_REDIS
#include <hiredis/hiredis.h>
#endif

namespace tenantry::bench {

#if TENANTRY_BENCH_REDIS
namespace {

struct FreeContext {
  void operator()(redisContext* context) const { redisFree(context); }
};
struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Connection = std::unique_ptr<redisContext, FreeContext>;

// Runs one command whose last argument is `data`.
void command(redisContext& context, const char* format, const std::string& data) {
  const std::unique_ptr<redisReply, FreeReply> reply(
      static_cast<redisReply*>(redisCommand(&context, format, data.data(), data.size())));
  if (reply == nullptr || reply->type == REDIS_REPLY_ERROR) {
    throw std::runtime_error("Redis: " + std::string(reply ? reply->str : context.errstr));
  }
}

Connection open(const std::string& socket) {
  Connection connection(redisConnectUnix(socket.c_str()));
  if (connection == nullptr || connection->err != 0) {
    throw std::runtime_error("Redis does not answer on " + socket);
  }
  return connection;
}

class RedisRun final : public Run {
 public:
  RedisRun(std::string socket, std::size_t record_bytes)
      : socket_(std::move(socket)), record_(record_bytes, 'e') {
    command(*open(socket_), "FLUSHALL %b", "SYNC");
  }
  [[nodiscard]] std::unique_ptr<Session> connect(std::size_t) override {
    return std::make_unique<RedisSession>(*this);
  }

 private:
  class RedisSession final : public Session {
   public:
    explicit RedisSession(RedisRun& run) : run_(run), connection_(open(run.socket_)) {}
    void append(std::size_t, std::size_t count) override {
      for (std::size_t n = 0; n < count; ++n) {
        command(*connection_, "XADD events * data %b", run_.record_);
      }
    }

   private:
    RedisRun& run_;
    Connection connection_;
  };

  const std::string socket_;
  const std::string record_;
};

}  // namespace

Contender redis_contender(const std::string& socket, std::size_t record_bytes) {
  if (socket.empty()) return {names::kRedis, {}, "no server was given (--redis)"};
  return {
      names::kRedis,
      [socket, record_bytes](const std::filesystem::path&, const Load&) -> std::unique_ptr<Run> {
        return std::make_unique<RedisRun>(socket, record_bytes);
      },
      {}};
}
#else
Contender redis_contender(const std::string&, std::size_t) {
  return {names::kRedis, {}, "built without libhiredis-dev"};
}
#endif

}  // namespace tenantry::bench
