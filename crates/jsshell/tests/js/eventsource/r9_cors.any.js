const origin = (value) => header(`Access-Control-Allow-Origin: ${value}`);
const credentials = header('Access-Control-Allow-Credentials: true');
const include = { withCredentials: true };
for (const [name, init, passes, ...headers] of [
  ['nothing', undefined, false],
  ['*', undefined, true, origin('*')],
  ['the origin', undefined, true, origin(here)],
  ['another', undefined, false, origin(elsewhere)],
  ['two', undefined, false, origin(here), origin('*')],
  ['null', undefined, false, origin('null')],
  ['*, with credentials', include, false, origin('*'), credentials],
  ['the origin, with credentials', include, true, origin(here), credentials],
  ['the origin only, with credentials', include, false, origin(here)],
  ['True, with credentials', include, false, origin(here), header('Access-Control-Allow-Credentials: True')],
]) {
  promise_test(async (t) => {
    const url = `${elsewhere}${stream(...headers, end)}`;
    if (passes) await once(open(t, url, init), 'end');
    else assert_equals(await stateAfterError(t, url, init), EventSource.CLOSED);
  }, `r9: another origin that allows ${name}`);
}
promise_test(async (t) => {
  await once(open(t, `${here}${stream(end)}`), 'end');
  assert_equals(await stateAfterError(t, `${nextDoor}${stream(end)}`), EventSource.CLOSED);
}, 'r9: the own origin needs no leave, another port does');
promise_test(async (t) => {
  const redirect = `${elsewhere}${serve(status(302), header(`Location: ${here}${stream(allow, end)}`))}`;
  assert_equals(await stateAfterError(t, redirect), EventSource.CLOSED);
  const allowed = `${redirect}&${allow}`;
  await once(open(t, allowed), 'end');
}, 'r9: so does a redirect of another origin');
promise_test(async (t) => {
  const third = `http://third.test:${location.port}${stream(allow, echo('origin'), end)}`;
  const url = `${elsewhere}${serve(status(302), header(`Location: ${third}`), allow)}`;
  assert_equals((await once(open(t, url), 'message')).data, 'null');
}, 'r9: what another origin sends on to a third speaks for nobody');
promise_test(async (t) => {
  const own = newKey();
  const url = `${elsewhere}${stream(allow, body('retry:1\nid:7\n\n'), next, type(), allow,
    echo('last-event-id'), end, key(own))}`;
  assert_equals((await once(open(t, url), 'message')).data, '7');
  assert_same((await requests(own)).map(({ method }) => method), ['GET', 'GET']);
}, 'r9: Last-Event-ID goes to other origins without a preflight');
