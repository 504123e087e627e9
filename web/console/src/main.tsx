import { render } from 'preact';
import { App } from './app/app';
import { watchHub } from './hub/watching';
import './style/base.css';
import './style/shell.css';
import './style/parts.css';
import './style/views.css';

watchHub();
render(<App />, document.getElementById('app') as HTMLElement);
