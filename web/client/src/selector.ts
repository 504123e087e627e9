/** Whether a topic or pattern selects `topic`: `*` is one segment, `**` at the end one or more. Topics of the hub's own (`$…`) have to be spelt. */
export function matches(selector: string, topic: string): boolean {
  const wanted = selector.split('/');
  const given = topic.split('/');
  if (topic.startsWith('$') && wanted[0] !== given[0]) return false;
  const open = wanted.at(-1) === '**';
  if (open ? given.length < wanted.length : given.length !== wanted.length) return false;
  if (open) wanted.pop();
  return wanted.every((segment, i) => segment === '*' || segment === given[i]);
}
