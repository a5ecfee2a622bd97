import { useQuery } from "@tanstack/react-query";
import { Trophy } from "lucide-react";
import { useMemo, useState } from "react";
import { api, type Outputs } from "../../api";
import { Ago, Answer, Card, Empty } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { UserLink } from "../../components/UserLink";
import { count, nameText } from "../../format";
import { type Days, type Live, rangeText } from "../Overview";

type TopUser = Outputs["overview"]["topUsers"][number];

export function TopUsersCard({ days, refetchInterval }: { days: Days } & Live) {
	const trends = useQuery(api.overview.trends.queryOptions({ days }, { refetchInterval }));
	const [chosen, setChosen] = useState<string>();
	const types = useMemo(() => {
		const events = new Map<string, number>();
		for (const { usageType, users } of trends.data ?? [])
			if (usageType !== null) events.set(usageType, (events.get(usageType) ?? 0) + users);
		return [...events].sort((a, b) => b[1] - a[1]).map(([type]) => type);
	}, [trends.data]);
	const usageType = chosen !== undefined && types.includes(chosen) ? chosen : types[0];
	const top = useQuery(
		api.overview.topUsers.queryOptions(
			{ usageType: usageType ?? "-", days, rows: 10 },
			{ enabled: usageType !== undefined, refetchInterval },
		),
	);
	const most = top.data?.[0]?.total ?? 0;
	const columns: Columns<TopUser> = [
		{
			id: "user",
			header: "User",
			meta: { heading: true, grow: true },
			cell: ({ row }) => <UserLink userId={row.original.userId} />,
		},
		{
			id: "total",
			header: "Used",
			meta: { number: true },
			cell: ({ row }) => (
				<span className="inline-bar">
					<span style={{ width: `${(row.original.total / most) * 100}%` }} aria-hidden />
					{count(row.original.total)}
				</span>
			),
		},
		{
			id: "last",
			header: "Last",
			meta: { number: true, wideOnly: true },
			cell: ({ row }) => (row.original.lastUsed ? <Ago at={row.original.lastUsed} /> : "–"),
		},
	];
	return (
		<Card
			title="Top users"
			note={rangeText(days).replace("the", "Of the")}
			flush
			actions={
				types.length > 0 && (
					<select
						aria-label="Usage type"
						value={usageType}
						onChange={(event) => setChosen(event.target.value)}
					>
						{types.map((type) => (
							<option key={type} value={type}>
								{nameText(type)}
							</option>
						))}
					</select>
				)
			}
		>
			<Answer
				of={usageType === undefined && trends.data ? { ...trends, data: [] as TopUser[], error: null } : top}
			>
				{(rows) => (
					<Table
						caption={`Top users of ${usageType ?? "anything"}`}
						columns={columns}
						rows={rows}
						rowId={(row) => row.userId}
						empty={<Empty icon={Trophy} title="Nobody has used anything in this range" />}
					/>
				)}
			</Answer>
		</Card>
	);
}
