import { useQuery } from "@tanstack/react-query";
import { ShieldBan, ShieldCheck } from "lucide-react";
import type { ReactNode } from "react";
import { api, type Outputs } from "../../api";
import { Ago, Answer, Card, Empty, Note } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { UserLink } from "../../components/UserLink";
import { count, plural } from "../../format";
import { type Days, type Live, rangeText } from "../Overview";

type Denials = Outputs["overview"]["denials"];

const limitColumns: Columns<Denials["limits"][number]> = [
	{
		id: "limit",
		header: "Limit",
		meta: { heading: true, grow: true },
		cell: ({ row }) => <code>{row.original.limitType}</code>,
	},
	{ id: "users", header: "Users", meta: { number: true }, cell: ({ row }) => count(row.original.users) },
	{ id: "count", header: "Denials", meta: { number: true }, cell: ({ row }) => count(row.original.count) },
	{
		id: "last",
		header: "Last",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => <Ago at={row.original.lastAt} />,
	},
];

export function DenialsCard({ days, refetchInterval }: { days: Days } & Live) {
	const denials = useQuery(api.overview.denials.queryOptions({ days }, { refetchInterval }));
	return (
		<Card title="Denials" note={`Requests that a limit refused in ${rangeText(days)}`} flush>
			<Answer of={denials}>{(data) => <Content {...data} />}</Answer>
		</Card>
	);
}

/** Why nothing is counted; limits deny all the same. */
const reasons: Record<Exclude<Denials["state"], "counted">, ReactNode> = {
	"not preloaded": (
		<>
			They are counted in memory, which needs <code>shared_preload_libraries = 'usage_limits'</code> and a
			restart of the server. Limits deny all the same.
		</>
	),
	"no worker": (
		<>
			A background worker writes them, and <code>usage_limits.worker_enabled</code> is off.
		</>
	),
};

function Content({ state, readable, limits, users }: Denials) {
	if (!readable)
		return (
			<Empty icon={ShieldBan} title="Denials are not to be seen">
				The dashboard’s database role may not read <code>usage_denials</code>.
			</Empty>
		);
	const reason = state === "counted" ? undefined : reasons[state];
	if (limits.length === 0)
		return reason ? (
			<Empty icon={ShieldBan} title="Denials are not counted">
				{reason}
			</Empty>
		) : (
			<Empty icon={ShieldCheck} title="No denials">
				No limit has refused anything in this range.
			</Empty>
		);
	return (
		<>
			{reason && (
				<div className="card-part">
					<Note tone="warn" icon={ShieldBan}>
						Denials are not counted any more. {reason}
					</Note>
				</div>
			)}
			<Table caption="Denials by limit" columns={limitColumns} rows={limits} rowId={(row) => row.limitType} />
			<div className="card-part">
				<h3>Most often denied</h3>
				<ul className="plain-list">
					{users.map((user) => (
						<li key={`${user.userId} ${user.limitType}`}>
							<UserLink userId={user.userId} />
							<span className="soft">
								{plural(user.count, "time")} by <code>{user.limitType}</code>
							</span>
						</li>
					))}
				</ul>
			</div>
		</>
	);
}
