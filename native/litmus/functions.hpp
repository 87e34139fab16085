// What AArch64 instructions compute, as functions of two operands. Arm ARM (DDI 0487) section C6.2.
#pragma once

#include <string_view>

#include "memory/weak/pending.hpp"

namespace race::litmus {

// Null: there is no such function. `w`: on 32 bits.
weak::Function alu_function(std::string_view name, bool w);
weak::Function flags_function(std::string_view name, bool w);  // NZCV of add, sub, and, bic
weak::Function atomic_function(std::string_view name, bool w);
weak::Function condition_function(std::string_view name);  // of NZCV: "eq", "lt", ...
weak::Function zero_function(bool w, bool when_zero);      // CBZ, CBNZ
weak::Function bit_function(bool when_zero);               // TBZ, TBNZ: of the register and the bit's number
weak::Function extend_function(std::string_view name);     // of an index register: "none", "sxtw", "uxtw"

}  // namespace race::litmus
