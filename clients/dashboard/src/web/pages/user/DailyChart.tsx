/** A user's use by day and type. */

import { ChartColumn } from "lucide-react";
import { useMemo, useState } from "react";
import { Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { Empty, Segmented } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { count, dayTextInFull, nameText } from "../../format";
import { ChartTip, countAxis, dayAxis, seriesColor } from "../overview/Trends";

interface Stats {
	daily: Record<string, Record<string, number>>;
	totals: Record<string, number>;
}

type DayRow = Record<string, string | number> & { date: string };

const dayMs = 86_400_000;

/** `now` is the database's: its days are UTC and the last one is today. */
export function DailyChart({ stats, days, now }: { stats: Stats; days: number; now: number }) {
	const types = useMemo(
		() =>
			Object.entries(stats.totals)
				.sort((a, b) => b[1] - a[1])
				.map(([type]) => type),
		[stats],
	);
	const [chosen, setChosen] = useState<string>();
	const [view, setView] = useState<"chart" | "table">("chart");
	const today = Math.floor(now / dayMs) * dayMs;
	const rows = useMemo(
		() =>
			Array.from({ length: days }, (_, index): DayRow => {
				const date = new Date(today - (days - 1 - index) * dayMs).toISOString().slice(0, 10);
				return { date, ...stats.daily[date] };
			}),
		[stats, days, today],
	);
	const type = chosen !== undefined && types.includes(chosen) ? chosen : types[0];
	if (type === undefined) return <Empty icon={ChartColumn} title="No use in this range" />;
	const columns: Columns<DayRow> = [
		{
			id: "date",
			header: "Date",
			meta: { heading: true },
			cell: ({ row }) => dayTextInFull(row.original.date),
		},
		...types.map((each) => ({
			id: each,
			header: nameText(each),
			meta: { number: true },
			cell: ({ row }: { row: { original: DayRow } }) => count(Number(row.original[each] ?? 0)),
		})),
	];
	return (
		<>
			<div className="row between wrap">
				<label className="row">
					<span className="soft">Show</span>
					<select value={type} onChange={(event) => setChosen(event.target.value)}>
						{types.map((each) => (
							<option key={each} value={each}>
								{nameText(each)} ({count(stats.totals[each] ?? 0)})
							</option>
						))}
					</select>
				</label>
				<Segmented
					label="View"
					value={view}
					onChange={setView}
					options={[
						{ value: "chart", label: "Chart" },
						{ value: "table", label: "Table" },
					]}
				/>
			</div>
			{view === "table" ? (
				<Table
					caption="Use by day"
					columns={columns}
					rows={[...rows].reverse()}
					rowId={(row) => row.date}
					maxHeight={280}
				/>
			) : (
				<figure
					className="chart"
					aria-label={`${nameText(type)} a day, ${count(stats.totals[type] ?? 0)} in all. The table view has the numbers.`}
				>
					<ResponsiveContainer width="100%" height={220}>
						<BarChart
							data={rows}
							margin={{ top: 8, right: 4, bottom: 0, left: 0 }}
							barCategoryGap="18%"
							accessibilityLayer={false}
						>
							<CartesianGrid vertical={false} stroke="var(--line)" />
							<XAxis {...dayAxis} />
							<YAxis {...countAxis} width={44} />
							<Tooltip
								content={ChartTip}
								cursor={{ fill: "var(--surface-hover)" }}
								isAnimationActive={false}
							/>
							<Bar
								dataKey={type}
								name={nameText(type)}
								fill={seriesColor(types.indexOf(type))}
								isAnimationActive={false}
								radius={[3, 3, 0, 0]}
							/>
						</BarChart>
					</ResponsiveContainer>
				</figure>
			)}
		</>
	);
}
