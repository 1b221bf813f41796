#include "core/decide.h"

#include <cstring>

#include <capnp/dynamic.h>
#include <capnp/message.h>

#include "events/commands.h"
#include "tests/core/deciding_test_base.h"

namespace tenantry {
namespace {

class DecideTest : public ::testing::Test {
 protected:
  DecideOutcome decide_bytes(std::string_view command) {
    return decide(command, state_, {circumstances_, events::Timestamp{0}, ids_});
  }

  FakeState state_;
  CountingIds ids_;
  events::Circumstances circumstances_;
};

TEST_F(DecideTest, KnowsEveryCommand) {
  for (const events::CommandInfo& info : events::commands()) {
    capnp::MallocMessageBuilder message;
    message.initRoot<capnp::DynamicStruct>(capnp::Schema::from<events::Command>())
        .init(info.member);
    const auto command = message.getRoot<events::Command>().asReader();
    try {
      (void)decide_bytes(events::encode_canonical(command));
    } catch (const events::MalformedError& error) {
      EXPECT_THAT(error.what(), Not(testing::HasSubstr("none that this version"))) << info.name;
    }
  }
}

TEST_F(DecideTest, UnknownCommandThrows) {
  capnp::MallocMessageBuilder message;
  message.initRoot<events::Command>().initAddProtein().setName("Beef");
  std::string bytes = events::encode_canonical(message.getRoot<events::Command>().asReader());
  // The union's tag is the first data of the root, after its pointer.
  const auto tag = static_cast<std::uint16_t>(events::commands().size());
  std::memcpy(bytes.data() + sizeof(capnp::word), &tag, sizeof(tag));
  EXPECT_THROW((void)decide_bytes(bytes), events::MalformedError);
}

TEST_F(DecideTest, GarbageThrows) {
  EXPECT_THROW((void)decide_bytes(""), events::MalformedError);
  EXPECT_THROW((void)decide_bytes(std::string(16, '\xff')), events::MalformedError);
}

}  // namespace
}  // namespace tenantry
