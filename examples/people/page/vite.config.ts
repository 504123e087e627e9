import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  // The app of the example lets this origin in.
  server: { port: 5173, strictPort: true },
});
