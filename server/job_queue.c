/* SPDX-License-Identifier: Apache-2.0
 * job_queue.c - see job_queue.h. */
#include "job_queue.h"

static void push(job_list *list, job *j) {
  j->next = NULL;
  if (list->last == NULL) {
    list->first = j;
  } else {
    list->last->next = j;
  }
  list->last = j;
  list->count++;
}

static bool take_out(job_list *list, job *j) {
  job *before = NULL;
  for (job *at = list->first; at != NULL; before = at, at = at->next) {
    if (at != j) continue;
    if (before == NULL) {
      list->first = at->next;
    } else {
      before->next = at->next;
    }
    if (list->last == at) list->last = before;
    list->count--;
    return true;
  }
  return false;
}

int job_queue_count(const job_queue *q) { return q->ordinary.count + q->live.count; }

void job_queue_push(job_queue *q, job *j) { push(j->live ? &q->live : &q->ordinary, j); }

bool job_queue_remove(job_queue *q, job *j) {
  return take_out(&q->ordinary, j) || take_out(&q->live, j);
}

job *job_queue_pop(job_queue *q) {
  bool live = q->live.count > 0 && (q->ordinary.count == 0 || !q->live_was_last);
  job_list *list = live ? &q->live : &q->ordinary;
  job *j = list->first;
  take_out(list, j);
  q->live_was_last = live;
  return j;
}

int job_queue_position(const job_queue *q, const job *j) {
  int mine = 0;
  const job_list *list = j->live ? &q->live : &q->ordinary;
  for (const job *at = list->first; at != NULL && at != j; at = at->next) mine++;
  int others = j->live ? q->ordinary.count : q->live.count;
  bool other_first = j->live == q->live_was_last; /* whose turn it is */
  int between = mine + (other_first ? 1 : 0);
  return mine + (others < between ? others : between);
}
