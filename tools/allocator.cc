// How jemalloc, which the program is linked with, is to work; it looks for this name. Memory that
// is freed goes back a fifth of a second later, while the program works: glibc's heaps keep it in
// pieces, more with every million of events, and the threads of RocksDB wait for each other there.
// More arenas than two gain little and keep more.
extern "C" {
// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables,readability-identifier-naming)
const char* malloc_conf = "narenas:2,dirty_decay_ms:200,muzzy_decay_ms:0";
}
