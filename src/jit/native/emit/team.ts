/** The most threads of one run. */
export const MOST_THREADS = 64;

/**
 * C of a run by several threads. Helpers live as long as the run: a library may be unloaded, and a
 * process forked or ended, between any two. All go through the same steps and meet before and after
 * each unit that they share; in between, the caller's thread is alone. A thread that waits spins for
 * some 20 µs and then sleeps.
 *
 * Where a helper cannot be started, there is one fewer: results do not depend on how many there are.
 */
export const TEAM = `#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#define MOST_THREADS ${MOST_THREADS}
#if defined(__x86_64__)
#define PAUSE __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE __asm__ volatile("yield")
#else
#define PAUSE
#endif
typedef struct {
  atomic_long arrived, phase;
  long all;
  pthread_mutex_t lock;
  pthread_cond_t wake;
} Team;
static __attribute__((noinline)) void g_meet(Team *t) {
  if (t->all == 1) return;
  const long phase = atomic_load(&t->phase);
  if (atomic_fetch_add(&t->arrived, 1) == t->all - 1) {
    atomic_store(&t->arrived, 0);
    pthread_mutex_lock(&t->lock);
    atomic_store(&t->phase, phase + 1);
    pthread_mutex_unlock(&t->lock);
    pthread_cond_broadcast(&t->wake);
    return;
  }
  for (int i = 0; i < 2000; i++) {
    if (atomic_load(&t->phase) != phase) return;
    PAUSE;
  }
  pthread_mutex_lock(&t->lock);
  while (atomic_load(&t->phase) == phase) pthread_cond_wait(&t->wake, &t->lock);
  pthread_mutex_unlock(&t->lock);
}
`;

/**
 * C of `gibbs_run` by `steps(arena, in, out, own, me, all, team)`, where `own` is the scratch space
 * of a helper. Those of all helpers lie behind the arena.
 */
export const runByTeam = (arenaBytes: number, scratchBytes: number) => `typedef struct {
  Team *team;
  char *arena;
  void *const *in, *const *out;
  long me;
} Member;
static void *g_help(void *member) {
  const Member *m = member;
  Team *t = m->team;
  pthread_mutex_lock(&t->lock);
  while (t->all == 0) pthread_cond_wait(&t->wake, &t->lock);
  pthread_mutex_unlock(&t->lock);
  steps(m->arena, m->in, m->out, m->arena + ${arenaBytes} + (m->me - 1) * ${scratchBytes}, m->me, t->all, t);
  return NULL;
}
void gibbs_run(char *arena, void *const *in, void *const *out, int threads) {
  Team team = {.all = threads <= 1};
  pthread_t ids[MOST_THREADS];
  Member members[MOST_THREADS];
  long all = 1;
  if (threads > 1) {
    pthread_mutex_init(&team.lock, NULL);
    pthread_cond_init(&team.wake, NULL);
    /* Signals are for the threads that expect them. */
    sigset_t every, before;
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    for (; all < threads && all < MOST_THREADS; all++) {
      members[all] = (Member){&team, arena, in, out, all};
      if (pthread_create(&ids[all], NULL, g_help, &members[all]) != 0) break;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&team.lock);
    team.all = all;
    pthread_mutex_unlock(&team.lock);
    pthread_cond_broadcast(&team.wake);
  }
  steps(arena, in, out, NULL, 0, all, &team);
  for (long i = 1; i < all; i++) pthread_join(ids[i], NULL);
  if (threads > 1) {
    pthread_cond_destroy(&team.wake);
    pthread_mutex_destroy(&team.lock);
  }
}
`;
