/** The most threads of one run. */
export const MOST_THREADS = 64;

/**
 * C of a run by several threads. Helpers live as long as the run: a library may be unloaded, and a
 * process forked or ended, between any two. All go through the same steps. A unit that they share is
 * cut into as many parts as there are threads; the caller's thread opens it, whoever is there takes
 * the next part, and the caller's thread goes on when all are given back. On a busy machine, where
 * helpers come late, it takes most parts itself and waits for nobody. A thread that waits spins for
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
  /* The unit that is open, from 1 on, times 65536, and how many parts of it are taken. */
  atomic_long taken;
  atomic_long given, asleep;
  long all;
  pthread_mutex_t lock;
  pthread_cond_t wake;
} Team;
#define WAIT_UNTIL(what) do { \\
    for (int i = 0; i < 2000 && !(what); i++) PAUSE; \\
    if (what) break; \\
    atomic_fetch_add(&t->asleep, 1); \\
    pthread_mutex_lock(&t->lock); \\
    while (!(what)) pthread_cond_wait(&t->wake, &t->lock); \\
    pthread_mutex_unlock(&t->lock); \\
    atomic_fetch_sub(&t->asleep, 1); \\
  } while (0)
static __attribute__((noinline)) void g_wake(Team *t) {
  if (atomic_load(&t->asleep) == 0) return;
  pthread_mutex_lock(&t->lock);
  pthread_mutex_unlock(&t->lock);
  pthread_cond_broadcast(&t->wake);
}
static __attribute__((noinline)) void g_open(Team *t, long unit, long me) {
  if (me > 0) WAIT_UNTIL(atomic_load(&t->taken) >> 16 >= unit);
  else {
    atomic_store(&t->given, 0);
    atomic_store(&t->taken, unit << 16);
    g_wake(t);
  }
}
/* The next part, or as many as there are when none is left. */
static __attribute__((noinline)) long g_take(Team *t, long unit) {
  long v = atomic_load(&t->taken);
  while (v >> 16 == unit && (v & 0xffff) < t->all)
    if (atomic_compare_exchange_weak(&t->taken, &v, v + 1)) return v & 0xffff;
  return t->all;
}
static __attribute__((noinline)) void g_give(Team *t, long me) {
  if (atomic_fetch_add(&t->given, 1) + 1 == t->all && me > 0) g_wake(t);
}
static __attribute__((noinline)) void g_close(Team *t, long me) {
  if (me == 0) WAIT_UNTIL(atomic_load(&t->given) == t->all);
}
`;

/** C of a call that threads share, the `unit`-th of its run, from 1 on. */
export const sharedCall = (unit: number, call: string) =>
  `g_open(team, ${unit}, me); for (long part; (part = g_take(team, ${unit})) < all; g_give(team, me)) ${call} g_close(team, me);`;

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
