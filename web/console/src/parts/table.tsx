// A table whose first column names the row. On a narrow screen each row is a
// small card: the name, and below it the figures with their names.

import type { ComponentChildren } from 'preact';

export interface Column<R> {
  name: string;
  /// Figures stand to the right.
  number?: boolean;
  cell: (row: R) => ComponentChildren;
}

export function Table<R>({ label, columns, rows, keyOf }: {
  label: string; columns: Column<R>[]; rows: readonly R[]; keyOf: (row: R) => string;
}) {
  const kind = (column: Column<R>) => (column.number ? 'number' : undefined);
  // The roles are those of the elements, which lose them where CSS makes cards of rows.
  return (
    <div class="table" tabIndex={0} role="region" aria-label={label}>
      <table role="table">
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(column => <th key={column.name} scope="col" role="columnheader" class={kind(column)}>{column.name}</th>)}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map(row => (
            <tr key={keyOf(row)} role="row">
              {columns.map((column, i) => (i === 0
                ? <th key={column.name} scope="row" role="rowheader">{column.cell(row)}</th>
                : <td key={column.name} role="cell" class={kind(column)} data-name={column.name}>{column.cell(row)}</td>))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
