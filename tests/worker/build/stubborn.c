/* Says that it runs, then waits for ever, whatever SIGTERM says. */
#include <signal.h>
#include <unistd.h>

int main(void) {
  signal(SIGTERM, SIG_IGN);
  if (write(1, "waiting for ever\n", 17) != 17) return 1;
  for (;;) pause();
}
