#pragma once

namespace tenantry {

inline constexpr const char* kSoftwareVersion = TENANTRY_VERSION;

}  // namespace tenantry
