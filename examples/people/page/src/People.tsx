import { useConnect } from './useConnect';

export function People({ url }: { url: string }) {
  const { people, connected, state } = useConnect(url);
  return (
    <>
      <p id="state" data-state={state} role="status">{state}</p>
      <div className="columns">
        <section>
          <h2>The list</h2>
          <ol id="people">{people.map(({ id, name }) => <li key={id}>{name}</li>)}</ol>
        </section>
        <section>
          <h2>Connected: {connected.count}</h2>
          <ul id="clients">
            {connected.clients.map(({ id, name, since }) => (
              <li key={id}>
                {name} <time dateTime={new Date(since).toISOString()}>since {new Date(since).toLocaleTimeString()}</time>
              </li>
            ))}
          </ul>
        </section>
      </div>
    </>
  );
}
