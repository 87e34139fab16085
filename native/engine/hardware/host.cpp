#include "engine/hardware/host.hpp"

#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "memory/hardware.hpp"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace race::hardware {

namespace {

#if defined(__aarch64__)
constexpr const char* architecture = "AArch64";
constexpr const char* model = "armv8";
constexpr bool arm = true;
#elif defined(__x86_64__)
constexpr const char* architecture = "x86-64";
constexpr const char* model = "tso";
constexpr bool arm = false;
#else
#error "the hardware engine knows x86-64 and AArch64"
#endif

struct CpuInfo {
  std::vector<std::string> kinds;
  bool says_arm = false, says_x86 = false;
};

CpuInfo read_cpuinfo(const std::string& proc) {
  CpuInfo info;
  std::ifstream in(proc + "/cpuinfo");
  std::map<std::string, std::string> one;
  const auto end_of_one = [&] {
    std::string kind = one["model name"];
    if (one.count("CPU implementer") != 0)
      kind = "implementer " + one["CPU implementer"] + ", part " + one["CPU part"] + ", variant " + one["CPU variant"] +
             ", revision " + one["CPU revision"];
    if (!kind.empty() && std::find(info.kinds.begin(), info.kinds.end(), kind) == info.kinds.end())
      info.kinds.push_back(kind);
    one.clear();
  };
  for (std::string text; std::getline(in, text);) {
    if (text.empty()) {
      end_of_one();
      continue;
    }
    const auto colon = text.find(':');
    if (colon == std::string::npos) continue;
    std::string name = text.substr(0, colon);
    while (!name.empty() && (name.back() == '\t' || name.back() == ' ')) name.pop_back();
    one[name] = text.size() > colon + 2 ? text.substr(colon + 2) : "";
    info.says_arm = info.says_arm || name == "CPU implementer";
    info.says_x86 = info.says_x86 || name == "vendor_id";
  }
  end_of_one();
  return info;
}

// A user-mode emulator gives the program a CPU of another kind than the kernel runs on; the kernel's own files still tell.
std::string signs_of_emulation(const CpuInfo& info, const std::string& proc) {
  std::ifstream in(proc + "/sys/kernel/arch");
  std::string kernel;
  if (in >> kernel) {
    const bool kernel_arm = kernel == "aarch64" || kernel == "aarch64_be" || kernel.starts_with("arm");
    if (kernel_arm != arm) return "the kernel runs on " + kernel;
  }
  if (arm ? info.says_x86 : info.says_arm) return "the host's /proc/cpuinfo is of another architecture";
#if defined(__aarch64__)
  if ((getauxval(AT_HWCAP) & 1ul << 11) != 0) {  // HWCAP_CPUID: the identification may be read
    std::uint64_t midr;
    asm("mrs %0, midr_el1" : "=r"(midr));
    if (midr >> 24 == 0) return "the CPU has no implementer (MIDR_EL1), which no silicon has";
  }
#endif
  return "";
}

}  // namespace

Host this_host(const std::string& proc, const std::string& sys) {
  Host h;
  h.architecture = architecture;
  h.model = model;
  const CpuInfo info = read_cpuinfo(proc);
  h.cpus = info.kinds;
  std::ifstream midr(sys + "/devices/system/cpu/cpu0/regs/identification/midr_el1");
  std::string number;
  if (arm && midr >> number) h.cpus.push_back("MIDR_EL1 of CPU 0: " + number);
  utsname name{};
  if (uname(&name) == 0) h.kernel = std::string(name.sysname) + ' ' + name.release;
  h.compiler = std::string("g++ ") + __VERSION__;
  h.atomics = access::atomics_name();
  h.why = signs_of_emulation(info, proc);
  h.emulated = !h.why.empty();
  return h;
}

}  // namespace race::hardware
