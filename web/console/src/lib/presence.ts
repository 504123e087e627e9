// Who is at a topic, as the hub's document says, and what has changed.

export interface Member {
  id: string;
  since: string;
  as?: string;
  data?: unknown;
}

export interface PresenceDocument {
  topic: string;
  seq: number;
  count: number;
  watchers: number;
  /// `null` where they are too many for a list.
  members: Member[] | null;
}

export interface Change {
  id: string;
  /// Milliseconds since 1970.
  at: number;
  joined: boolean;
  name: string | undefined;
}

/// What a member is called: the name that was given, or one in what its token shows.
export function nameOf(member: Member): string | undefined {
  if (member.as !== undefined) return member.as;
  const { data } = member;
  if (typeof data === 'string') return data;
  const name = data && typeof data === 'object' ? (data as Record<string, unknown>)['name'] : undefined;
  return typeof name === 'string' ? name : undefined;
}

/// Who came and who went between two documents.
export function changesBetween(before: PresenceDocument, now: PresenceDocument, at: number): Change[] {
  if (!before.members || !now.members) return [];
  const had = new Set(before.members.map(member => member.id));
  const has = new Set(now.members.map(member => member.id));
  const change = (joined: boolean) => (member: Member): Change =>
    ({ id: member.id, at, joined, name: nameOf(member) });
  return [
    ...now.members.filter(member => !had.has(member.id)).map(change(true)),
    ...before.members.filter(member => !has.has(member.id)).map(change(false)),
  ];
}
