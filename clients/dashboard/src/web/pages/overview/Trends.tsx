import { useQuery } from "@tanstack/react-query";
import { ChartColumn } from "lucide-react";
import { useMemo, useState } from "react";
import {
	Bar,
	BarChart,
	CartesianGrid,
	Line,
	LineChart,
	ResponsiveContainer,
	Tooltip,
	type TooltipContentProps,
	XAxis,
	YAxis,
} from "recharts";
import { api, type Outputs } from "../../api";
import { Answer, Card, classes, Empty, Segmented, Skeleton } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { count, dayText, dayTextInFull, nameText, short } from "../../format";
import { type Days, type Live, rangeText } from "../Overview";

type Trends = Outputs["overview"]["trends"];

/** A day: its date, a number for each type, and for all together under ''. */
interface DayRow {
	date: string;
	[type: string]: string | number;
}

const all = "";
const measures = [
	{ value: "count", label: "Uses" },
	{ value: "users", label: "Unique users" },
] as const;
type Measure = (typeof measures)[number]["value"];
const groups = [
	{ value: "types", label: "By type" },
	{ value: "all", label: "All together" },
] as const;
const views = [
	{ value: "chart", label: "Chart" },
	{ value: "table", label: "Table" },
] as const;

/** The axes of a chart by day. */
const tick = { fill: "var(--text-faint)", fontSize: 12 };
export const dayAxis = {
	dataKey: "date",
	tickFormatter: dayText,
	tickLine: false,
	axisLine: { stroke: "var(--line-strong)" },
	minTickGap: 40,
	tick,
};
export const countAxis = {
	tickFormatter: short,
	tickLine: false,
	axisLine: false,
	allowDecimals: false,
	tick,
};

export const seriesColor = (index: number): string => `var(--series-${(index % 8) + 1})`;

function byDay(trends: Trends, measure: Measure): { days: DayRow[]; types: string[] } {
	const days = new Map<string, DayRow>();
	const totals = new Map<string, number>();
	for (const row of trends) {
		const type = row.usageType ?? all;
		const day = days.get(row.date) ?? { date: row.date };
		day[type] = row[measure];
		days.set(row.date, day);
		if (type !== all) totals.set(type, (totals.get(type) ?? 0) + row.count);
	}
	const types = [...totals].sort((a, b) => b[1] - a[1]).map(([type]) => type);
	return { days: [...days.values()], types };
}

export function TrendsCard({ days, refetchInterval }: { days: Days } & Live) {
	const trends = useQuery(api.overview.trends.queryOptions({ days }, { refetchInterval }));
	const limits = useQuery(api.limits.list.queryOptions(undefined, { staleTime: 60_000 }));
	const [measure, setMeasure] = useState<Measure>("count");
	const [group, setGroup] = useState<"types" | "all">("types");
	const [view, setView] = useState<"chart" | "table">("chart");
	const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());

	const { days: rows, types } = useMemo(() => byDay(trends.data ?? [], measure), [trends.data, measure]);
	// a level such as storage_mb beside numbers of prompts says nothing: off at first
	const levels = useMemo(
		() =>
			new Set(
				limits.data
					?.filter((limit) => limit.kind === "gauge" && limit.limitType === limit.usageType)
					.map((limit) => limit.usageType),
			),
		[limits.data],
	);
	const isShown = (type: string) => (levels.has(type) && types.length > 1) === toggled.has(type);
	const shown = group === "all" ? [all] : types.filter(isShown);
	const toggle = (type: string) =>
		setToggled((before) => {
			const after = new Set(before);
			if (!after.delete(type)) after.add(type);
			return after;
		});

	return (
		<Card
			title="Trends"
			note={`${measure === "count" ? "Uses" : "Users"} a day in ${rangeText(days)}`}
			actions={
				<>
					<Segmented label="What is shown" value={measure} options={measures} onChange={setMeasure} />
					<Segmented label="Grouping" value={group} options={groups} onChange={setGroup} />
					<Segmented label="View" value={view} options={views} onChange={setView} />
				</>
			}
		>
			<Answer of={trends} loading={<Skeleton height={300} />}>
				{() =>
					types.length === 0 ? (
						<Empty icon={ChartColumn} title="No use in this range">
							What your application tracks or consumes shows here at once.
						</Empty>
					) : (
						<>
							{group === "types" && (
								<fieldset className="legend">
									<legend className="sr-only">Types shown</legend>
									{types.map((type, index) => (
										<label key={type} className={classes("chip", isShown(type) && "chip-on")}>
											<input type="checkbox" checked={isShown(type)} onChange={() => toggle(type)} />
											<span
												className="dot"
												style={{ background: isShown(type) ? seriesColor(index) : "var(--line-strong)" }}
												aria-hidden
											/>
											{nameText(type)}
										</label>
									))}
								</fieldset>
							)}
							{view === "chart" ? (
								<TrendsChart rows={rows} shown={shown} types={types} measure={measure} days={days} />
							) : (
								<TrendsTable rows={rows} shown={shown} />
							)}
						</>
					)
				}
			</Answer>
		</Card>
	);
}

const seriesName = (type: string): string => (type === all ? "All types" : nameText(type));

function TrendsChart(props: {
	rows: DayRow[];
	shown: string[];
	types: string[];
	measure: Measure;
	days: Days;
}) {
	const { rows, shown, types, measure } = props;
	const color = (type: string) => (type === all ? "var(--series-1)" : seriesColor(types.indexOf(type)));
	// users of several types would be counted twice in a stack, so they get lines
	const Chart = measure === "count" ? BarChart : LineChart;
	const label = `${measure === "count" ? "Uses" : "Unique users"} a day, ${shown.map(seriesName).join(", ") || "nothing chosen"}. The table view has the numbers.`;
	return (
		<figure className="chart" aria-label={label}>
			<ResponsiveContainer width="100%" height={300}>
				<Chart
					data={rows}
					margin={{ top: 8, right: 4, bottom: 0, left: 0 }}
					barCategoryGap={rows.length > 120 ? 0 : "18%"}
					accessibilityLayer={false}
				>
					<CartesianGrid vertical={false} stroke="var(--line)" />
					<XAxis {...dayAxis} />
					<YAxis {...countAxis} width={48} />
					<Tooltip
						content={ChartTip}
						cursor={measure === "count" ? { fill: "var(--surface-hover)" } : { stroke: "var(--line-strong)" }}
						isAnimationActive={false}
					/>
					{shown.map((type, index) =>
						measure === "count" ? (
							<Bar
								key={type}
								dataKey={type}
								name={seriesName(type)}
								stackId="uses"
								fill={color(type)}
								isAnimationActive={false}
								radius={index === shown.length - 1 && rows.length <= 120 ? [3, 3, 0, 0] : 0}
							/>
						) : (
							<Line
								key={type}
								dataKey={type}
								name={seriesName(type)}
								stroke={color(type)}
								strokeWidth={2}
								dot={rows.length <= 7}
								activeDot={{ r: 4 }}
								isAnimationActive={false}
								type="monotone"
							/>
						),
					)}
				</Chart>
			</ResponsiveContainer>
		</figure>
	);
}

/** What is under the pointer. */
export function ChartTip({ active, payload, label }: TooltipContentProps) {
	if (!active || payload.length === 0) return null;
	return (
		<div className="tip">
			<strong>{dayTextInFull(String(label))}</strong>
			{[...payload].reverse().map((item) => (
				<span key={String(item.dataKey)} className="tip-line">
					<span className="dot" style={{ background: item.color }} />
					<span>{item.name}</span>
					<span className="tip-value">{count(Number(item.value ?? 0))}</span>
				</span>
			))}
		</div>
	);
}

function TrendsTable({ rows, shown }: { rows: DayRow[]; shown: string[] }) {
	const columns: Columns<DayRow> = [
		{
			id: "date",
			header: "Date",
			accessorKey: "date",
			meta: { heading: true },
			cell: ({ row }) => dayTextInFull(row.original.date),
		},
		...shown.map((type) => ({
			id: type || "all",
			header: seriesName(type),
			accessorFn: (row: DayRow) => Number(row[type] ?? 0),
			meta: { number: true },
			cell: ({ getValue }: { getValue: () => number }) => count(getValue()),
		})),
	];
	return (
		<Table
			caption="Use by day"
			columns={columns}
			rows={rows}
			rowId={(row) => row.date}
			sort={[{ id: "date", desc: true }]}
			maxHeight={320}
		/>
	);
}
