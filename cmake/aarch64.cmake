# Builds for AArch64 Linux, linked statically, so that one file runs on any board: make arm64.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)
# Programs of this machine; headers too: the two libraries that are needed are headers alone.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
