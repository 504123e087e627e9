// A cookie of a host goes to all of its ports.
const cookie = (name) => header(`Set-Cookie: ${name}=1; Path=/`);
const sent = async (t, base, init) => {
  const source = open(t, `${base}${stream(allow, echo('cookie'), end)}`, init);
  return (await once(source, 'message')).data;
};
promise_test(async (t) => {
  await fetch(`${here}${serve(cookie('own'))}`);
  await fetch(`${elsewhere}${serve(allow, cookie('foreign'))}`, { credentials: 'include' });
  assert_equals(await sent(t, here), 'own=1');
  assert_equals(await sent(t, here, { withCredentials: true }), 'own=1');
  assert_equals(await sent(t, elsewhere), '(none)');
  assert_equals(await sent(t, elsewhere, { withCredentials: false }), '(none)');
  assert_equals(await sent(t, elsewhere, { withCredentials: true }), 'foreign=1');
  assert_equals(await sent(t, nextDoor), '(none)', 'another port is another origin');
}, 'r1: cookies go to the own origin, and to others with withCredentials');
promise_test(async (t) => {
  const own = newKey();
  open(t, stream(hold, key(own)));
  open(t, `${elsewhere}${stream(allow, hold, key(own))}`);
  let log;
  do { log = await requests(own); } while (log.length < 2);
  for (const { method } of log) assert_equals(method, 'GET');
  const origins = log.map(({ headers }) => headers.origin).filter((origin) => origin);
  assert_same(origins, [here], 'in CORS mode others are told who asks');
}, 'r1: GET, in CORS mode');
