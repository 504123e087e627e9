import { useEffect, useState } from 'react';

export type Person = { id: number; name: string };
/** `clients` is empty if they are too many to be listed. */
export type Connected = { count: number; clients: { id: string; name: string; since: number }[] };
export type State = 'connecting' | 'open' | 'closed';

/** What `GET /connect` says, for as long as the component is there. */
export function useConnect(url: string) {
  const [people, setPeople] = useState<Person[]>([]);
  const [connected, setConnected] = useState<Connected>({ count: 0, clients: [] });
  const [state, setState] = useState<State>('connecting');

  useEffect(() => {
    const source = new EventSource(url, { withCredentials: true });
    source.onopen = () => setState('open');
    source.onmessage = event => setPeople(JSON.parse(event.data));
    source.addEventListener('client', event => setConnected(JSON.parse(event.data)));
    // The browser connects again by itself, as long as it isn't CLOSED.
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? 'closed' : 'connecting');
    // Without this the connection outlives the component, and the app counts
    // someone who isn't there.
    return () => source.close();
  }, [url]);

  return { people, connected, state };
}
