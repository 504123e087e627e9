import { type FormEvent, useState } from 'react';
import { People } from './People';

// The app is of another origin than the page.
const APP = new URLSearchParams(location.search).get('app') ?? 'http://localhost:3000';

export function App() {
  const [here, setHere] = useState(true);
  return (
    <main>
      <header>
        <h1>People</h1>
        <button onClick={() => setHere(!here)}>{here ? 'Leave' : 'Come back'}</button>
      </header>
      {here ? <People url={`${APP}/connect`} /> : <p className="quiet">You have left: nobody sees you here.</p>}
      <Add url={`${APP}/addPerson`} />
    </main>
  );
}

function Add({ url }: { url: string }) {
  const [name, setName] = useState('');
  const [failure, setFailure] = useState('');

  async function add(event: FormEvent) {
    event.preventDefault();
    setFailure('');
    try {
      const answer = await fetch(url, {
        method: 'POST',
        credentials: 'include',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ name }),
      });
      if (!answer.ok) return setFailure(await answer.text());
      setName('');
    } catch {
      setFailure('The app does not answer.');
    }
  }

  return (
    <form onSubmit={add}>
      <label htmlFor="name">Name</label>
      <input id="name" value={name} onChange={event => setName(event.target.value)} required maxLength={64} autoComplete="off" />
      <button className="main">Add</button>
      <p role="alert">{failure}</p>
    </form>
  );
}
