// What listeners of any EventSource do: one line of JSON for each event.

/// The URL to watch and the types of the events to listen for.
export const [url, ...types] = process.argv.slice(2);

export function listen(source) {
  // While it waits to reconnect, none of them keeps the process alive.
  setInterval(() => {}, 1 << 30);
  for (const type of types) {
    source.addEventListener(type, ({ type, data, lastEventId }) => {
      process.stdout.write(`${JSON.stringify({ event: type, data, id: lastEventId })}\n`);
    });
  }
  source.addEventListener('error', error => {
    console.error('error, state', source.readyState, error.message ?? '');
    // It will not try again: let whoever waits for events know.
    if (source.readyState === source.CLOSED) process.exit(1);
  });
}
