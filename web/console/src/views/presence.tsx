// Who is at the topic in view. It looks every other second, so that who looks
// does not become present by it.

import { useEffect, useState } from 'preact/hooks';
import { route } from '../app/route';
import { askJson, refusalOf, token, type Refusal as Why } from '../hub/api';
import { clock, span, whole } from '../lib/format';
import { changesBetween, nameOf, type Change, type Member, type PresenceDocument } from '../lib/presence';
import { useStore } from '../lib/store';
import { isPattern } from '../lib/topics';
import { Refusal } from '../parts/refusal';
import { useText } from '../text';

const LOOK_MS = 2000;
const CHANGES = 20;

export function Presence() {
  const { t } = useText();
  const { topic } = useStore(route);
  const title = <h1>{t.presence.title}<code>{topic}</code></h1>;
  if (isPattern(topic)) return <>{title}<p class="empty">{t.presence.pattern}</p></>;
  return <>{title}<Present topic={topic} /></>;
}

function Present({ topic }: { topic: string }) {
  const { t, lang } = useText();
  const text = t.presence;
  const credentials = useStore(token);
  const [seen, setSeen] = useState<PresenceDocument | null>(null);
  const [changes, setChanges] = useState<Change[]>([]);
  const [refusal, setRefusal] = useState<Why | null>(null);
  useEffect(() => {
    const ending = new AbortController();
    let before: PresenceDocument | null = null;
    let timer = 0;
    const look = async () => {
      try {
        const now = await askJson<PresenceDocument>(`presence?topic=${encodeURIComponent(topic)}`, ending.signal);
        const found = before ? changesBetween(before, now, Date.now()) : [];
        if (found.length > 0) setChanges(old => [...found, ...old].slice(0, CHANGES));
        before = now;
        setSeen(now);
        setRefusal(null);
      } catch (error) {
        if (ending.signal.aborted) return;
        const why = refusalOf(error);
        setRefusal(why);
        // What is refused for good is asked again with another token.
        if (why.status >= 400 && why.status < 500) return;
      }
      timer = setTimeout(look, LOOK_MS);
    };
    void look();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [topic, credentials]);
  if (refusal) return <Refusal why={refusal} />;
  if (!seen) return <p class="empty">{t.history.loading}</p>;
  return (
    <>
      <p class="tally">
        <strong>{text.members(seen.count, whole(seen.count, lang))}</strong>
        <span>{text.watchers(seen.watchers, whole(seen.watchers, lang))}</span>
        <span class="quiet">{text.lede}</span>
      </p>
      <div class="beside">
        <section aria-label={text.member}>
          {seen.members === null ? <p class="empty">{text.large}</p>
            : seen.members.length === 0 ? <p class="empty">{text.nobody}</p>
              : <ul class="members">{seen.members.map(member => <Card key={member.id} member={member} />)}</ul>}
        </section>
        <section aria-label={text.changes}>
          <h2>{text.changes}</h2>
          {changes.length === 0 ? <p class="quiet">{text.noChanges}</p> : (
            <ol class="changes">
              {changes.map(change => (
                <li key={`${change.id} ${change.at} ${change.joined}`} class={change.joined ? 'joined' : 'left'}>
                  <time>{clock(new Date(change.at)).slice(0, 8)}</time>
                  <span>{change.name ?? text.anonymous}</span>
                  <span class="quiet">{change.joined ? text.joined : text.left}</span>
                </li>
              ))}
            </ol>
          )}
        </section>
      </div>
    </>
  );
}

function Card({ member }: { member: Member }) {
  const { t } = useText();
  const since = (Date.now() - Date.parse(member.since)) / 1000;
  return (
    <li>
      <strong>{nameOf(member) ?? t.presence.anonymous}</strong>
      <span class="quiet">{t.presence.since} {span(since, t.units)}</span>
      {member.data !== undefined && <code class="data">{JSON.stringify(member.data)}</code>}
      <code class="quiet id">{member.id}</code>
    </li>
  );
}
