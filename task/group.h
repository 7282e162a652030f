/*
 * Groups, inside the library; <weft/group.h> has the model for callers.
 */
#ifndef WEFT_TASK_GROUP_H
#define WEFT_TASK_GROUP_H

#include "task/task.h"

struct group;

/* A child of the group has ended; its block is still there. */
void weft__group_child_ended(struct group *group, weft_task *child);
/* The task that began the group. */
weft_task *weft__group_owner(const struct group *group);
/* Does that task wait for the children, which are these (by weft_task.sibling)? */
bool weft__group_is_ending(const struct group *group);
const struct list *weft__group_children(const struct group *group);

#endif
