/* Waits as qemu does whose program has crashed: for that one signal only. */
#include <signal.h>

int main(void) {
  sigset_t all_but_one;
  sigfillset(&all_but_one);
  sigdelset(&all_but_one, SIGILL);
  for (;;) sigsuspend(&all_but_one);
}
