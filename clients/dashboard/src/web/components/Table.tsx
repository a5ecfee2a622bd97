/** A table of rows that the server has chosen; TanStack Table keeps the columns and the order. */
import {
	type ColumnDef,
	getCoreRowModel,
	getSortedRowModel,
	type RowData,
	type SortingState,
	useReactTable,
} from "@tanstack/react-table";
import { ArrowDown, ArrowUp, ChevronsUpDown } from "lucide-react";
import { type ReactNode, useState } from "react";
import { classes } from "./basics";

declare module "@tanstack/react-table" {
	interface ColumnMeta<TData extends RowData, TValue> {
		/** Numbers stand at the right */
		number?: boolean;
		/** Left out on narrow screens */
		wideOnly?: boolean;
		/** The row's name, for screen readers */
		heading?: boolean;
		/** Takes what room there is */
		grow?: boolean;
	}
}

// biome-ignore lint/suspicious/noExplicitAny: a column's type differs from column to column
export type Columns<T> = ColumnDef<T, any>[];

/** Calls a column's function: as a component it would be another one at every render, and lose the focus. */
function render<C>(column: ReactNode | ((context: C) => ReactNode), context: C): ReactNode {
	return typeof column === "function" ? column(context) : column;
}

interface Props<T> {
	caption: string;
	columns: Columns<T>;
	rows: T[];
	rowId: (row: T) => string;
	/** The first order; without it rows stand as they came and cannot be sorted. */
	sort?: SortingState;
	empty?: ReactNode;
	foot?: ReactNode;
	maxHeight?: number;
}

export function Table<T>({ caption, columns, rows, rowId, sort, empty, foot, maxHeight }: Props<T>) {
	const [sorting, setSorting] = useState<SortingState>(sort ?? []);
	const table = useReactTable({
		data: rows,
		columns,
		getRowId: rowId,
		state: { sorting },
		onSortingChange: setSorting,
		enableSorting: sort !== undefined,
		getCoreRowModel: getCoreRowModel(),
		getSortedRowModel: getSortedRowModel(),
	});
	if (rows.length === 0 && empty) return <>{empty}</>;
	return (
		<>
			<section
				className="table-box"
				// biome-ignore lint/a11y/noNoninteractiveTabindex: whatever scrolls must be within the keyboard's reach
				tabIndex={0}
				aria-label={caption}
				style={maxHeight ? { maxHeight } : undefined}
			>
				<table>
					<caption className="sr-only">{caption}</caption>
					<thead>
						{table.getHeaderGroups().map((group) => (
							<tr key={group.id}>
								{group.headers.map((header) => {
									const meta = header.column.columnDef.meta;
									const sorted = header.column.getIsSorted();
									const label = render(header.column.columnDef.header, header.getContext());
									return (
										<th
											key={header.id}
											scope="col"
											className={classes(
												meta?.number && "number",
												meta?.wideOnly && "wide-only",
												meta?.grow && "grow",
											)}
											aria-sort={sorted ? (sorted === "asc" ? "ascending" : "descending") : undefined}
										>
											{header.column.getCanSort() ? (
												<button
													type="button"
													className="sort"
													onClick={header.column.getToggleSortingHandler()}
												>
													{label}
													{sorted === "asc" ? (
														<ArrowUp aria-hidden />
													) : sorted === "desc" ? (
														<ArrowDown aria-hidden />
													) : (
														<ChevronsUpDown aria-hidden className="sort-idle" />
													)}
												</button>
											) : (
												label
											)}
										</th>
									);
								})}
							</tr>
						))}
					</thead>
					<tbody>
						{table.getRowModel().rows.map((row) => (
							<tr key={row.id} data-row={row.id}>
								{row.getVisibleCells().map((cell) => {
									const meta = cell.column.columnDef.meta;
									const content = render(cell.column.columnDef.cell, cell.getContext());
									const className = classes(meta?.number && "number", meta?.wideOnly && "wide-only");
									return meta?.heading ? (
										<th key={cell.id} scope="row" className={className}>
											{content}
										</th>
									) : (
										<td key={cell.id} className={className} data-column={cell.column.id}>
											{content}
										</td>
									);
								})}
							</tr>
						))}
					</tbody>
				</table>
			</section>
			{foot && <div className="table-foot">{foot}</div>}
		</>
	);
}
