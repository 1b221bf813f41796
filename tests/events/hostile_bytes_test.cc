#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <capnp/any.h>
#include <capnp/message.h>
#include <gtest/gtest.h>

#include "events/text.h"
#include "tests/events/golden_files.h"
#include "tests/events/made_events.h"

namespace tenantry::events {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kWord = sizeof(capnp::word);

enum class Outcome { kValues, kMalformed };

void expect_sound(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    EXPECT_TRUE(is_storable_text(*text));
  } else if (const auto* time = std::get_if<Timestamp>(&value)) {
    EXPECT_EQ(parse_timestamp(format_timestamp(*time)), *time);
  }
}

// Everything that can be asked of an event. Any exception but MalformedError leaves and fails the
// test.
Outcome read_all_as(std::string_view bytes, Origin origin) {
  try {
    const auto view = EventView::over(bytes, origin);
    for (const auto text : {view.event().getActor(), view.event().getChannel(),
                            view.event().getReason(), view.event().getCorrelationId()})
      EXPECT_TRUE(is_storable_text({text.cStr(), text.size()}));
    (void)view.concerns_user(1);
    for (const auto& [field, value] : view.fields()) expect_sound(value);
    for (const RowChange& change : row_changes(view, kMadeAt)) {
      for (const auto& [place, value] : change.columns) expect_sound(value);
    }
    return Outcome::kValues;
  } catch (const MalformedError&) {
    return Outcome::kMalformed;
  }
}

Outcome read_all(std::string_view bytes) {
  const Outcome outcome = read_all_as(bytes, Origin::kElsewhere);
  // Nobody looked whether these are canonical: what was refused may be read, but safely.
  const Outcome stored = read_all_as(bytes, Origin::kStored);
  if (outcome == Outcome::kValues) {
    EXPECT_EQ(stored, Outcome::kValues);
  }
  return outcome;
}

std::string from_words(std::initializer_list<std::uint64_t> words) {
  std::string bytes;
  for (std::uint64_t word : words) {
    for (std::size_t at = 0; at < kWord; ++at, word >>= 8U)
      bytes += static_cast<char>(word & 0xffU);
  }
  return bytes;
}

// The event, with a sixth pointer that is free.
capnp::AnyStruct::Builder copy_envelope(std::string_view bytes, capnp::MessageBuilder& message) {
  MessageView view(bytes);
  const capnp::AnyStruct::Reader event(view.root<Event>());
  auto copy = message.initRoot<capnp::AnyPointer>().initAsAnyStruct(1, 6);
  const auto data = event.getDataSection();
  std::copy(data.begin(), data.end(), copy.getDataSection().begin());
  for (unsigned at = 0; at < event.getPointerSection().size(); ++at)
    copy.getPointerSection()[at].set(event.getPointerSection()[at]);
  return copy;
}

std::string as_kind(std::string_view bytes, const KindInfo& kind) {
  capnp::MallocMessageBuilder message;
  auto event = copy_envelope(bytes, message);
  event.getDataSection()[0] = static_cast<std::uint8_t>(kind.number - 1);  // The union's tag.
  return encode_canonical(event.asReader().as<Event>());
}

// --- damage at random
// -----------------------------------------------------------------------------

using Random = std::mt19937_64;
using Damage = std::function<void(std::string&, Random&)>;

std::string random_bytes(std::size_t count, Random& random) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

void flip_bit(std::string& bytes, Random& random) {
  char& byte = bytes[random() % bytes.size()];
  byte = static_cast<char>(byte ^ (1 << (random() % 8)));
}
void overwrite_word(std::string& bytes, Random& random) {
  bytes.replace(random() % (bytes.size() / kWord) * kWord, kWord, random_bytes(kWord, random));
}
void copy_word(std::string& bytes, Random& random) {
  const std::size_t words = bytes.size() / kWord;
  const std::string word = bytes.substr(random() % words * kWord, kWord);
  bytes.replace(random() % words * kWord, kWord, word);
}
void cut_bytes(std::string& bytes, Random& random) { bytes.resize(random() % bytes.size()); }
void cut_words(std::string& bytes, Random& random) {
  bytes.resize(random() % (bytes.size() / kWord) * kWord);
}
void append_words(std::string& bytes, Random& random) {
  bytes += random_bytes((1 + random() % 4) * kWord, random);
}
void append_zeros(std::string& bytes, Random& random) {
  bytes.append((1 + random() % 4) * kWord, '\0');
}
void insert_word(std::string& bytes, Random& random) {
  bytes.insert(random() % (bytes.size() / kWord) * kWord, random_bytes(kWord, random));
}

TEST(HostileBytesTest, DamageEndsInValuesOrMalformedError) {
  constexpr std::uint64_t kSeed = 20260607;
  Random random(kSeed);
  const std::array<Damage, 8> damages = {flip_bit,  overwrite_word, copy_word,    cut_bytes,
                                         cut_words, append_words,   append_zeros, insert_word};
  std::size_t refused = 0;
  std::size_t read = 0;
  for (const GoldenEvent& event : golden_events()) {
    for (int round = 0; round < 100; ++round) {
      std::string bytes = event.bytes;
      const auto times = 1 + random() % 3;
      for (std::uint64_t time = 0; time < times && bytes.size() >= kWord; ++time)
        damages[random() % damages.size()](bytes, random);
      SCOPED_TRACE(::testing::Message()
                   << "seed=" << kSeed << " " << event.stem << " " << hex(bytes));
      (read_all(bytes) == Outcome::kValues ? read : refused) += 1;
    }
  }
  EXPECT_GT(refused, 0U);
  EXPECT_GT(read, 0U) << "damage within a text or number cannot be seen here";
}

TEST(HostileBytesTest, RandomWordsEndInValuesOrMalformedError) {
  constexpr std::uint64_t kSeed = 11;
  Random random(kSeed);
  for (int round = 0; round < 20'000; ++round) {
    const std::string bytes = random_bytes((1 + random() % 32) * kWord, random);
    SCOPED_TRACE(::testing::Message() << "seed=" << kSeed << " " << hex(bytes));
    (void)read_all(bytes);
  }
}

// The message stays canonical; only what it claims to be is wrong.
TEST(HostileBytesTest, AnyEventReadAsAnyOtherKindEndsInValuesOrMalformedError) {
  for (const GoldenEvent& event : golden_events()) {
    for (const KindInfo& kind : kinds()) {
      SCOPED_TRACE(event.stem + " as " + kind.name);
      const Outcome outcome = read_all(as_kind(event.bytes, kind));
      EXPECT_TRUE(kind_of(event.stem) != &kind || outcome == Outcome::kValues);
    }
  }
}

TEST(HostileBytesTest, ARowReadAsAnEventEndsInValuesOrMalformedError) {
  for (const GoldenEvent& event : golden_events()) {
    EventView view(event.bytes);
    const auto changes = row_changes(view, kMadeAt);
    if (changes.empty() || changes[0].effect != Effect::INSERT) continue;
    RowValues row(changes[0].table->columns.size());
    apply_patch(row, changes[0]);
    SCOPED_TRACE(event.stem);
    (void)read_all(encode_row(*changes[0].table, row));
  }
}

// --- made by hand
// ---------------------------------------------------------------------------------

TEST(HostileBytesTest, NothingAndZerosAreNoEvent) {
  EXPECT_EQ(read_all(""), Outcome::kMalformed);
  for (const std::size_t words : {1U, 2U, 8U, 1024U})
    EXPECT_EQ(read_all(std::string(words * kWord, '\0')), Outcome::kMalformed) << words;
}

TEST(HostileBytesTest, AnEventWithoutItsFactIsRefused) {
  EXPECT_EQ(read_all(encode([](Event::Builder event) { event.setActor("ann"); })),
            Outcome::kMalformed);
  EXPECT_EQ(read_all(encode([](Event::Builder event) { event.initUserDeleted(); })),
            Outcome::kValues)
      << "a fact of nothing but zeros is one";
}

// An envelope with no data and one pointer, the actor: word 0 leads to word 1.
constexpr std::uint64_t kOnePointer = 0x0001'0000'0000'0000;

TEST(HostileBytesTest, APointerInACircleIsRefused) {
  EXPECT_EQ(read_all(from_words({kOnePointer, 0x0001'0000'ffff'fff8})), Outcome::kMalformed);
  EXPECT_EQ(read_all(from_words({0x0001'0000'ffff'fffc})), Outcome::kMalformed);
}

TEST(HostileBytesTest, FarPointersAndCapabilitiesAreRefused) {
  for (const std::uint64_t pointer : {0x0000'0000'0000'0002ULL, 0x0000'0001'0000'0002ULL,
                                      0x0000'0000'0000'0006ULL, 0x0000'0000'0000'0003ULL}) {
    EXPECT_EQ(read_all(from_words({pointer, 0, 0})), Outcome::kMalformed) << pointer;
    EXPECT_EQ(read_all(from_words({kOnePointer, pointer, 0, 0})), Outcome::kMalformed) << pointer;
  }
}

// The largest count there is, of elements of every size, from nothing to whole structs.
TEST(HostileBytesTest, AListThatClaimsToBeHugeIsRefusedAtOnce) {
  const auto start = std::chrono::steady_clock::now();
  for (std::uint64_t size = 0; size < 8; ++size) {
    const std::uint64_t list = 1U | (size << 32U) | (0x1fff'ffffULL << 35U);
    EXPECT_EQ(read_all(from_words({kOnePointer, list, 0, 0})), Outcome::kMalformed) << size;
  }
  // A list of no words whose tag speaks of 2^29 structs without a body.
  EXPECT_EQ(read_all(from_words({kOnePointer, 0x0000'0007'0000'0001, 0x0000'0000'7fff'fffc})),
            Outcome::kMalformed);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

// An event of a later version: one more pointer in the envelope, which leads `depth` structs down.
std::string with_unknown_field(unsigned depth) {
  const EncodedEvent plain =
      encode([](Event::Builder event) { event.initUserDeleted().setUsername("ann"); });
  capnp::MallocMessageBuilder message;
  auto event = copy_envelope(plain, message);
  auto nested = event.getPointerSection()[5].initAsAnyStruct(1, 1);
  for (unsigned level = 1; level < depth; ++level)
    nested = nested.getPointerSection()[0].initAsAnyStruct(1, 1);
  nested.getDataSection()[0] = 1;
  return encode_canonical(event.asReader().as<Event>());
}

TEST(HostileBytesTest, DeepNestingIsRefusedAndUnknownFieldsAreNot) {
  EXPECT_EQ(read_all(with_unknown_field(1)), Outcome::kValues);
  EXPECT_EQ(read_all(with_unknown_field(14)), Outcome::kValues);
  EXPECT_EQ(read_all(with_unknown_field(17)), Outcome::kMalformed);
  EXPECT_EQ(read_all(with_unknown_field(64)), Outcome::kMalformed);
}

TEST(HostileBytesTest, TextThatNoTargetTakesIsRefused) {
  for (const std::string_view text : {"a\0b"sv, "\xff"sv, "\xc3"sv, "\xed\xa0\x80"sv}) {
    const capnp::Text::Reader stored(text.data(), text.size());
    EXPECT_EQ(read_all(encode(
                  [&](Event::Builder event) { event.initUserRenamed().setUsername(stored); })),
              Outcome::kMalformed);
    EXPECT_EQ(read_all(encode([&](Event::Builder event) {
                event.initUserRenamed();
                event.setReason(stored);
              })),
              Outcome::kMalformed);
  }
}

TEST(HostileBytesTest, NumbersOutsideTheirColumnAreRefused) {
  const auto tenant = std::array<std::uint8_t, 16>{7};
  const capnp::Data::Reader id(tenant.data(), tenant.size());
  for (const std::int64_t micros :
       {INT64_MIN, INT64_MAX, -62'135'596'800'000'001, 253'402'300'800'000'000}) {
    EXPECT_EQ(read_all(encode(
                  [&](Event::Builder event) { event.initUserLoggedIn().setLastLogin(micros); })),
              Outcome::kMalformed)
        << micros;
  }
  for (const std::int64_t user : {std::int64_t{1} << 31, INT64_MIN}) {
    EXPECT_EQ(read_all(encode([&](Event::Builder event) {
                auto changed = event.initTenantCreatorChanged();
                changed.setId(id);
                changed.initCreatedById().setValue(user);
              })),
              Outcome::kMalformed)
        << user;
  }
  EXPECT_EQ(read_all(encode([](Event::Builder event) {
              event.initUserFlagsChanged().setIsStaff(static_cast<Flag>(3));
            })),
            Outcome::kMalformed);
}

// An honest event can be asked as often as anybody likes: limits are for dishonest ones.
TEST(HostileBytesTest, ALargeEventCanBeReadManyTimes) {
  const std::array<std::uint8_t, 16> tenant{7};
  const auto bytes = encode([&](Event::Builder event) {
    auto changed = event.initTenantSettingsChanged();
    changed.setId(capnp::Data::Reader(tenant.data(), tenant.size()));
    changed.setSettings("{\"a\": \"" + std::string(700'000, 'x') + "\"}");
  });
  EventView view(bytes);
  for (int time = 0; time < 50; ++time) ASSERT_EQ(view.fields().size(), 2U) << time;
}

TEST(HostileBytesTest, NoEventIsLargerThanThePayloadOfARecord) {
  const auto event_of = [](std::size_t text_bytes) {
    return encode([&](Event::Builder event) {
      event.initUserRenamed().setUsername(std::string(text_bytes, 'x'));
    });
  };
  const std::size_t others = event_of(7).size() - kWord;  // All but the text and its NUL.
  const EncodedEvent largest = event_of(kPayloadBytesMax - others - 1);
  EXPECT_EQ(largest.size(), kPayloadBytesMax);
  EXPECT_EQ(read_all(largest), Outcome::kValues);
  EXPECT_EQ(read_all(event_of(kPayloadBytesMax - others)), Outcome::kMalformed);
}

}  // namespace
}  // namespace tenantry::events
