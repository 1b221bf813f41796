#include "tools/generator/names.h"

#include <array>
#include <charconv>

namespace tenantry::generator {
namespace {

// A word, and its letters as they stand in addresses, slugs and host names.
struct Word {
  std::string_view text;
  std::string_view plain;
};

constexpr std::array<Word, kFirstNames> kFirst = {{
    {"Ana", "ana"},           {"Björn", "bjoern"},  {"Chloé", "chloe"},     {"Daniel", "daniel"},
    {"Elif", "elif"},         {"Fatima", "fatima"}, {"Grace", "grace"},     {"Håkon", "haakon"},
    {"Inés", "ines"},         {"Jakub", "jakub"},   {"Kenji", "kenji"},     {"Lucía", "lucia"},
    {"María", "maria"},       {"Nadia", "nadia"},   {"Oskar", "oskar"},     {"Priya", "priya"},
    {"Quentin", "quentin"},   {"Rosa", "rosa"},     {"Søren", "soeren"},    {"Tomás", "tomas"},
    {"Uma", "uma"},           {"Viktor", "viktor"}, {"Wanda", "wanda"},     {"Ximena", "ximena"},
    {"Yusuf", "yusuf"},       {"Zoë", "zoe"},       {"Amara", "amara"},     {"Bruno", "bruno"},
    {"Carmen", "carmen"},     {"Dmitri", "dmitri"}, {"Emma", "emma"},       {"Felix", "felix"},
    {"Giulia", "giulia"},     {"Hana", "hana"},     {"Ivan", "ivan"},       {"Jürgen", "juergen"},
    {"Kateřina", "katerina"}, {"Liam", "liam"},     {"Mateusz", "mateusz"}, {"Noor", "noor"},
    {"Olivia", "olivia"},     {"Paulo", "paulo"},   {"Ragnar", "ragnar"},   {"Sofia", "sofia"},
    {"Thandi", "thandi"},     {"Ulrike", "ulrike"}, {"Valentina", "vale"},  {"Wei", "wei"},
    {"Yara", "yara"},         {"Zsófia", "zsofia"}, {"Aiko", "aiko"},       {"Benoît", "benoit"},
    {"Clara", "clara"},       {"David", "david"},   {"Eero", "eero"},       {"Freya", "freya"},
    {"Gustavo", "gustavo"},   {"Hugo", "hugo"},     {"İpek", "ipek"},       {"James", "james"},
    {"美咲", "misaki"},       {"Ольга", "olga"},    {"Πέτρος", "petros"},   {"Layla", "layla"},
}};

constexpr std::array<Word, kLastNames> kLast = {{
    {"López", "lopez"},
    {"Müller", "mueller"},
    {"Smith", "smith"},
    {"Nguyen", "nguyen"},
    {"Kowalski", "kowalski"},
    {"García", "garcia"},
    {"Jensen", "jensen"},
    {"Okafor", "okafor"},
    {"Tanaka", "tanaka"},
    {"Öztürk", "oeztuerk"},
    {"Rossi", "rossi"},
    {"Dubois", "dubois"},
    {"Johnson", "johnson"},
    {"Patel", "patel"},
    {"Novák", "novak"},
    {"Andersson", "andersson"},
    {"O'Brien", "obrien"},
    {"Silva", "silva"},
    {"Weber", "weber"},
    {"Kim", "kim"},
    {"Haddad", "haddad"},
    {"van Dijk", "vandijk"},
    {"Popescu", "popescu"},
    {"Fernández", "fernandez"},
    {"Ivanova", "ivanova"},
    {"Schäfer", "schaefer"},
    {"Martin", "martin"},
    {"Lindqvist", "lindqvist"},
    {"Mbeki", "mbeki"},
    {"Horváth", "horvath"},
    {"Costa", "costa"},
    {"Williams", "williams"},
    {"Żak", "zak"},
    {"Brown", "brown"},
    {"Chen", "chen"},
    {"D'Angelo", "dangelo"},
    {"Eriksen", "eriksen"},
    {"Fischer", "fischer"},
    {"Gupta", "gupta"},
    {"Hansen", "hansen"},
    {"Ibrahim", "ibrahim"},
    {"Jovanović", "jovanovic"},
    {"Keller", "keller"},
    {"Lefèvre", "lefevre"},
    {"Moreau", "moreau"},
    {"Nielsen", "nielsen"},
    {"Ortega", "ortega"},
    {"Petrov", "petrov"},
    {"Quispe", "quispe"},
    {"Ramos", "ramos"},
    {"Sánchez", "sanchez"},
    {"Torres", "torres"},
    {"Ueda", "ueda"},
    {"Vargas", "vargas"},
    {"Wójcik", "wojcik"},
    {"Yılmaz", "yilmaz"},
    {"Zimmermann", "zimmermann"},
    {"Álvarez", "alvarez"},
    {"Baptiste", "baptiste"},
    {"Cohen", "cohen"},
    {"佐藤", "sato"},
    {"Смирнова", "smirnova"},
    {"Hughes", "hughes"},
    {"Eze-Adeyemi", "eze-adeyemi"},
}};

constexpr std::array<Word, 32> kCompanyFirst = {{
    {"North", "north"},       {"Blue", "blue"},       {"Red", "red"},         {"Silver", "silver"},
    {"Old", "old"},           {"Green", "green"},     {"Golden", "golden"},   {"High", "high"},
    {"Prairie", "prairie"},   {"Lake", "lake"},       {"Stone", "stone"},     {"Iron", "iron"},
    {"Río", "rio"},           {"São", "sao"},         {"Grün", "gruen"},      {"Maple", "maple"},
    {"Coast", "coast"},       {"Summit", "summit"},   {"Twin", "twin"},       {"Royal", "royal"},
    {"Heritage", "heritage"}, {"Pioneer", "pioneer"}, {"Sunrise", "sunrise"}, {"Alpine", "alpine"},
    {"Central", "central"},   {"Nordic", "nordic"},   {"Delta", "delta"},     {"Metro", "metro"},
    {"Crown", "crown"},       {"Harvest", "harvest"}, {"Western", "western"}, {"Île", "ile"},
}};

constexpr std::array<Word, 32> kCompanySecond = {{
    {"Harbor", "harbor"},   {"Valley", "valley"}, {"Ridge", "ridge"},   {"Creek", "creek"},
    {"Fjörd", "fjord"},     {"Field", "field"},   {"Bridge", "bridge"}, {"Oak", "oak"},
    {"Star", "star"},       {"Gate", "gate"},     {"Mill", "mill"},     {"Hill", "hill"},
    {"River", "river"},     {"Bay", "bay"},       {"Ranch", "ranch"},   {"Garden", "garden"},
    {"Forge", "forge"},     {"Plains", "plains"}, {"Point", "point"},   {"Cove", "cove"},
    {"Peak", "peak"},       {"Glen", "glen"},     {"Haven", "haven"},   {"Market", "market"},
    {"Crest", "crest"},     {"Meadow", "meadow"}, {"Falls", "falls"},   {"Orchard", "orchard"},
    {"Landing", "landing"}, {"Court", "court"},   {"Prado", "prado"},   {"Fjell", "fjell"},
}};

constexpr std::array<Word, 8> kCompanyKind = {{
    {"Foods", "foods"},
    {"Meats", "meats"},
    {"Farms", "farms"},
    {"Trading & Co.", "trading"},
    {"Logistics", "logistics"},
    {"Provisions", "provisions"},
    {"Bros.", "bros"},
    {"Group", "group"},
}};

constexpr std::array<std::string_view, MailHost::kPublicHosts> kPublicHostNames = {
    "mail.example", "post.example", "inbox.example.org", "correo.example.net"};
constexpr std::array<std::string_view, 8> kHostPrefixes = {"app",    "portal", "my", "login",
                                                           "orders", "team",   "eu", "www"};
constexpr std::array<std::string_view, 16> kAnimals = {
    "Beef",  "Pork",   "Chicken", "Turkey",  "Lamb",  "Veal", "Goat",   "Duck",
    "Bison", "Salmon", "Trout",   "Venison", "Goose", "Tofu", "Rabbit", "Jamón"};
constexpr std::array<std::string_view, 16> kCuts = {
    "brisket", "loin",  "shoulder", "ground",  "ribs",  "shank",  "breast", "fillet",
    "leg",     "flank", "cheek",    "sausage", "liver", "cutlet", "roast",  "trim"};

constexpr std::array<std::string_view, 12> kReasons = {
    "requested by the customer", "ticket 4711",      "new hire",
    "left the company",          "contract renewal", "quarterly access review",
    "typo in the \"old\" name",  "holiday cover",    "Zusammenlegung der Standorte",
    "security: password reset",  "migrated from v1", "solicitud del cliente"};
constexpr std::array<std::string_view, 6> kMessages = {"Welcome to the team!",
                                                       "Please join us by Friday.\nThanks!",
                                                       "Bienvenida — ¡nos vemos el lunes!",
                                                       "Your access to the \"orders\" portal",
                                                       "Hej! 🎉 Välkommen ombord.",
                                                       "As discussed on the phone."};
constexpr std::array<std::string_view, 8> kOperators = {
    "system:deploy", "system:billing", "system:sso",  "system:retention",
    "support:ines",  "support:tom",    "cli:migrate", "system:nightly"};

// --- Numbers to words

// Every number has its own combination and, from the second round on, a number beside it. The
// factor has no divisor with the counts in common, so that a round meets each combination once.
struct Combination {
  std::size_t place;
  std::uint64_t round;
};

template <std::size_t combinations>
Combination combine(std::uint64_t number) {
  constexpr std::uint64_t kFactor = 2377;
  static_assert((combinations & (combinations - 1)) == 0, "odd factors go with powers of two");
  return {static_cast<std::size_t>(number * kFactor % combinations), number / combinations};
}

Combination person(std::uint64_t number) { return combine<kFirstNames * kLastNames>(number); }
Combination company(std::uint64_t number) {
  return combine<kCompanyFirst.size() * kCompanySecond.size() * kCompanyKind.size()>(number);
}

struct CompanyWords {
  const Word& first;
  const Word& second;
  const Word& kind;
  std::uint64_t round;
};

CompanyWords company_words(std::uint64_t number) {
  const auto [place, round] = company(number);
  const std::size_t rest = place / kCompanyFirst.size();
  return {kCompanyFirst[place % kCompanyFirst.size()], kCompanySecond[rest % kCompanySecond.size()],
          kCompanyKind[rest / kCompanySecond.size()], round};
}

void append_number(std::string& out, std::uint64_t number) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

// Nothing in the first round, 2 in the second.
void append_round(std::string& out, std::string_view before, std::uint64_t round) {
  if (round == 0) return;
  out += before;
  append_number(out, round + 1);
}

void append_plain_name(std::string& out, std::uint64_t number) {
  const auto [place, round] = person(number);
  out += kFirst[place % kFirstNames].plain;
  out += '.';
  out += kLast[place / kFirstNames].plain;
  append_round(out, "", round);
}

template <std::size_t size>
std::string_view draw(RandomSource& random, const std::array<std::string_view, size>& texts) {
  return texts[random.below(size)];
}

}  // namespace

std::string_view first_name(std::size_t place) { return kFirst[place].text; }
std::string_view last_name(std::size_t place) { return kLast[place].text; }
std::size_t first_name_of(std::uint64_t number) { return person(number).place % kFirstNames; }
std::size_t last_name_of(std::uint64_t number) { return person(number).place / kFirstNames; }

void MailHost::append(std::string& out) const {
  if (is_public()) {
    out += kPublicHostNames[value_];
    return;
  }
  append_slug(out, value_ - kPublicHosts);
  out += ".example";
}

void append_address(std::string& out, std::uint64_t person_number, MailHost host, bool capital) {
  const std::size_t start = out.size();
  append_plain_name(out, person_number);
  if (capital) out[start] = static_cast<char>(out[start] - 'a' + 'A');
  out += '@';
  host.append(out);
}

void append_username(std::string& out, std::uint64_t person_number) {
  const auto [place, round] = person(person_number);
  const Word& first = kFirst[place % kFirstNames];
  // Blanks and apostrophes are no characters of a username, so only first names are as they are.
  const bool as_written = spread(person_number) % 8 == 0;
  out += as_written ? first.text : first.plain;
  out += '.';
  out += kLast[place / kFirstNames].plain;
  append_round(out, "", round);
}

void append_new_username(std::string& out, std::size_t first, std::size_t last,
                         std::uint64_t number) {
  out += kFirst[first].plain;
  out += '_';
  out += kLast[last].plain;
  append_number(out, number);
}

void append_company_name(std::string& out, std::uint64_t number) {
  const CompanyWords words = company_words(number);
  out += words.first.text;
  out += ' ';
  out += words.second.text;
  out += ' ';
  out += words.kind.text;
  append_round(out, " ", words.round);
}

void append_slug(std::string& out, std::uint64_t number) {
  const CompanyWords words = company_words(number);
  out += words.first.plain;
  out += '-';
  out += words.second.plain;
  out += '-';
  out += words.kind.plain;
  append_round(out, "-", words.round);
}

void append_host_name(std::string& out, std::uint64_t company_number, std::uint64_t place) {
  out += kHostPrefixes[place % kHostPrefixes.size()];
  append_round(out, "", place / kHostPrefixes.size());
  out += '.';
  append_slug(out, company_number);
  out += ".example";
}

void append_protein_name(std::string& out, std::uint64_t number) {
  const auto [place, round] = combine<kAnimals.size() * kCuts.size()>(number);
  out += kAnimals[place % kAnimals.size()];
  out += ' ';
  out += kCuts[place / kAnimals.size()];
  append_round(out, " ", round);
}

std::string_view draw_reason(RandomSource& random) { return draw(random, kReasons); }
std::string_view draw_invitation_message(RandomSource& random) { return draw(random, kMessages); }
std::string_view draw_operator(RandomSource& random) { return draw(random, kOperators); }

}  // namespace tenantry::generator
