import { useQuery } from "@tanstack/react-query";
import { CircleCheckBig } from "lucide-react";
import { api, type Outputs } from "../../api";
import { Answer, Badge, Card, Empty, type Tone } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { count, durationText, nameText, percent } from "../../format";
import { type Days, type Live, rangeText } from "../Overview";

type Rate = Outputs["overview"]["errorRates"][number];

const rateTone = (rate: number): Tone => (rate >= 10 ? "bad" : rate >= 3 ? "warn" : "good");

const columns: Columns<Rate> = [
	{
		id: "type",
		header: "Operation",
		meta: { heading: true, grow: true },
		cell: ({ row }) => (
			<span className="nowrap">
				{nameText(row.original.usageType)}
				{row.original.eventSubtype && <span className="faint"> · {row.original.eventSubtype}</span>}
			</span>
		),
		accessorFn: (row) => `${row.usageType} ${row.eventSubtype ?? ""}`,
	},
	{
		id: "total",
		header: "Events",
		accessorKey: "total",
		meta: { number: true },
		cell: ({ row }) => count(row.original.total),
	},
	{
		id: "failed",
		header: "Failed",
		accessorKey: "failed",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => count(row.original.failed),
	},
	{
		id: "rate",
		header: "Rate",
		accessorFn: (row) => row.rate ?? 0,
		meta: { number: true },
		cell: ({ row }) =>
			row.original.rate === null ? (
				"–"
			) : (
				<Badge tone={rateTone(row.original.rate)}>{percent(row.original.rate)}</Badge>
			),
	},
	{
		id: "duration",
		header: "Average",
		accessorFn: (row) => row.duration ?? 0,
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => (row.original.duration === null ? "–" : durationText(row.original.duration)),
	},
];

export function ErrorRatesCard({ days, refetchInterval }: { days: Days } & Live) {
	const rates = useQuery(api.overview.errorRates.queryOptions({ days, minEvents: 10 }, { refetchInterval }));
	return (
		<Card title="Error rates" note={`Operations with at least 10 events in ${rangeText(days)}`} flush>
			<Answer of={rates}>
				{(rows) => (
					<Table
						caption="Error rates"
						columns={columns}
						rows={rows}
						rowId={(row) => `${row.usageType}/${row.eventSubtype ?? ""}`}
						sort={[{ id: "rate", desc: true }]}
						maxHeight={440}
						empty={
							<Empty icon={CircleCheckBig} title="Too few events to tell">
								A rate needs at least 10 events of one kind.
							</Empty>
						}
					/>
				)}
			</Answer>
		</Card>
	);
}
