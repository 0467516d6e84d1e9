// Says which architecture it was compiled for and which machine it believes to run on. Under
// emulation that is the emulated machine: the program cannot tell the difference.
#include <stdio.h>
#include <sys/utsname.h>

#if defined(__x86_64__)
#define COMPILED_FOR "x86_64"
#elif defined(__aarch64__)
#define COMPILED_FOR "aarch64"
#elif defined(__arm__)
#define COMPILED_FOR "arm"
#elif defined(__i386__)
#define COMPILED_FOR "i386"
#else
#define COMPILED_FOR "an architecture that hello.c does not name"
#endif

int main(void) {
  struct utsname machine;
  if (uname(&machine) != 0) {
    perror("uname");
    return 1;
  }
  printf("Hello from manyarch: compiled for %s, running on %s.\n", COMPILED_FOR, machine.machine);
  return 0;
}
