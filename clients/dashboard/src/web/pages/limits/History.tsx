import { useInfiniteQuery } from "@tanstack/react-query";
import { History as HistoryIcon } from "lucide-react";
import { api, type Outputs } from "../../api";
import { Answer, Badge, Button, Card, Empty, Time, type Tone } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { limitText, nameText } from "../../format";

type Change = Outputs["limits"]["history"]["changes"][number];

const dull = new Set(["id", "created_at", "updated_at", "limit_type"]);

const tables: Record<string, string> = {
	usage_limits_config: "Limit",
	usage_limit_overrides: "Override",
	credit_costs: "Cost",
};
const operations: Record<string, { label: string; tone: Tone }> = {
	UPDATE: { label: "Changed", tone: "accent" },
	DELETE: { label: "Deleted", tone: "bad" },
	IMPORT: { label: "Imported", tone: "neutral" },
};

function valueText(key: string, value: unknown): string {
	if (value === null || value === undefined) return "none";
	if (typeof value === "number" && /_limit$|^limit_value$/.test(key)) return limitText(value).toLowerCase();
	return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** free_tier_limit → Free */
const keyText = (key: string): string => nameText(key.replace(/_tier_limit$/, ""));

/** What differs between the row before and after, a line each. */
export function differences({
	oldRow,
	newRow,
}: Pick<Change, "oldRow" | "newRow">): { key: string; before: string; after: string }[] {
	if (!oldRow || !newRow) return [];
	return Object.keys(newRow)
		.filter((key) => !dull.has(key) && JSON.stringify(oldRow[key]) !== JSON.stringify(newRow[key]))
		.map((key) => ({
			key: keyText(key),
			before: valueText(key, oldRow[key]),
			after: valueText(key, newRow[key]),
		}));
}

function Differences({ change }: { change: Change }) {
	const found = differences(change);
	if (change.operation === "DELETE") {
		const old = change.oldRow ?? {};
		const of = (old.user_id ?? old.tier) as string | undefined;
		return (
			<span className="soft">
				{old.limit_value === undefined
					? "the whole limit"
					: `${valueText("limit_value", old.limit_value)}${of ? ` for ${of}` : ""}`}
			</span>
		);
	}
	if (found.length === 0) return <span className="soft">nothing of note</span>;
	return (
		<ul className="differences">
			{found.map(({ key, before, after }) => (
				<li key={key}>
					<span className="soft">{key}</span> <del>{before}</del> <span aria-hidden>→</span>{" "}
					<ins>{after}</ins>
				</li>
			))}
		</ul>
	);
}

const columns: Columns<Change> = [
	{
		id: "when",
		header: "When",
		meta: { heading: true },
		cell: ({ row }) => <Time at={row.original.changedAt} />,
	},
	{ id: "who", header: "Who", cell: ({ row }) => row.original.changedBy },
	{
		id: "what",
		header: "What",
		cell: ({ row: { original: change } }) => (
			<span className="stacked-left">
				<code>{String((change.newRow ?? change.oldRow)?.limit_type ?? change.tableName)}</code>
				<span className="faint">{tables[change.tableName] ?? change.tableName}</span>
			</span>
		),
	},
	{
		id: "how",
		header: "Change",
		cell: ({ row }) => {
			const { label, tone } = operations[row.original.operation] ?? {
				label: row.original.operation,
				tone: "neutral" as const,
			};
			return <Badge tone={tone}>{label}</Badge>;
		},
	},
	{
		id: "differences",
		header: "From what to what",
		meta: { grow: true },
		cell: ({ row }) => <Differences change={row.original} />,
	},
];

export function History() {
	const history = useInfiniteQuery(
		api.limits.history.infiniteQueryOptions(
			{ rows: 50 },
			{ getNextPageParam: (page) => page.next, initialCursor: null },
		),
	);
	return (
		<Card flush>
			<Answer of={history}>
				{({ pages }) => (
					<Table
						caption="Changes of limits and overrides"
						columns={columns}
						rows={pages.flatMap((page) => page.changes)}
						rowId={(change) => change.id}
						empty={
							pages[0]?.readable === false ? (
								<Empty icon={HistoryIcon} title="The history is not to be seen">
									The dashboard’s database role may not read <code>usage_config_log</code>.
								</Empty>
							) : (
								<Empty icon={HistoryIcon} title="Nothing has been changed yet">
									Every change of a limit or an override shows here: who, when, and what it was before.
								</Empty>
							)
						}
						foot={
							history.hasNextPage && (
								<Button busy={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
									Older changes
								</Button>
							)
						}
					/>
				)}
			</Answer>
		</Card>
	);
}
