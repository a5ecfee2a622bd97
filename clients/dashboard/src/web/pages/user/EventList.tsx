/** A user's events, a page at a time; for the administrator and the user. */
import { ListTree } from "lucide-react";
import type { Outputs } from "../../api";
import { Badge, Button, Empty, Time, type Tone } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { count, durationText, nameText } from "../../format";

type Event = Outputs["users"]["events"]["events"][number];

const statusTones: Record<string, Tone> = { success: "good", failed: "bad", cancelled: "neutral" };

const columns: Columns<Event> = [
	{
		id: "when",
		header: "When",
		meta: { heading: true },
		cell: ({ row }) => <Time at={row.original.createdAt} />,
	},
	{
		id: "what",
		header: "What",
		meta: { grow: true },
		cell: ({ row: { original: event } }) => (
			<span className="stacked-left">
				<span>
					{nameText(event.eventType)}
					{event.eventSubtype && <span className="faint"> · {event.eventSubtype}</span>}
					{event.operation !== "use" && <span className="faint"> · {event.operation}</span>}
				</span>
				{event.errorMessage && <span className="faint">{event.errorMessage}</span>}
			</span>
		),
	},
	{
		id: "status",
		header: "Status",
		cell: ({ row }) => (
			<Badge tone={statusTones[row.original.status] ?? "neutral"}>{nameText(row.original.status)}</Badge>
		),
	},
	{ id: "amount", header: "Amount", meta: { number: true }, cell: ({ row }) => count(row.original.amount) },
	{
		id: "tokens",
		header: "Tokens",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => (row.original.tokensUsed === null ? "–" : count(row.original.tokensUsed)),
	},
	{
		id: "took",
		header: "Took",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => (row.original.durationMs === null ? "–" : durationText(row.original.durationMs)),
	},
];

export function EventList(props: {
	pages: Outputs["users"]["events"][];
	more: boolean;
	busy: boolean;
	onMore: () => void;
}) {
	const { pages, more, busy, onMore } = props;
	return (
		<Table
			caption="Events"
			columns={columns}
			rows={pages.flatMap((page) => page.events)}
			rowId={(event) => event.id}
			empty={<Empty icon={ListTree} title="No events" />}
			foot={
				more ? (
					<Button busy={busy} onClick={onMore}>
						Older events
					</Button>
				) : (
					pages[0]?.complete === false && (
						<span className="faint">
							The newest hundred: the dashboard’s database role may not read more.
						</span>
					)
				)
			}
		/>
	);
}
