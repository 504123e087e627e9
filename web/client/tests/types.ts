// What the types of the client allow. Nothing here runs: the compiler is the test.

import { Tidings, type TidingsEvent } from '../src/index.js';
import { useTidings } from '../src/react.js';

interface Prices {
  price: { amount: number };
  note: string;
}

const watch = new Tidings<Prices>('/', { topics: ['orders/*'], decode: 'json', shared: 'ann', since: '10m' });
const end: () => void = watch.on('price', event => {
  const amount: number = event.data.amount;
  const type: 'price' = event.type;
  // @ts-expect-error: it has none
  void event.data.text;
  // @ts-expect-error: events are as they came
  event.topic = 'other';
});
watch.on('*', event => { const data: string | { amount: number } = event.data; });
watch.on('tidings:gap', gap => { const reason: string = gap.reason; });
watch.on('tidings:end', end => { const topic: string | null = end.topic; });
watch.on('tidings:state', state => state === 'waiting');
watch.on('tidings:presence', ({ members }) => members?.map(member => member.id));
watch.on('tidings:error', error => error.fatal && error.status === 403);
// @ts-expect-error: no event of that name
watch.on('prize', () => {});

const any = new Tidings('/');
any.on('whatever', event => { const data: string = event.data; });
// @ts-expect-error: not a way to begin
new Tidings('/', { since: 10 });

function Component() {
  const { last, state } = useTidings<Prices>('/', { onEvent: event => { const known: TidingsEvent<unknown> = event; } });
  const data: string | { amount: number } | undefined = last?.data;
  return [data, state];
}
