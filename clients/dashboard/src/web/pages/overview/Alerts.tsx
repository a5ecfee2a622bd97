import { useQuery } from "@tanstack/react-query";
import { Bell, BellOff } from "lucide-react";
import { api, type Outputs } from "../../api";
import { Ago, Answer, Badge, Card, Empty } from "../../components/basics";
import { type Columns, Table } from "../../components/Table";
import { UserLink } from "../../components/UserLink";
import { count, limitText, percent } from "../../format";
import type { Live } from "../Overview";

type Alert = Outputs["overview"]["alerts"]["alerts"][number];

const columns: Columns<Alert> = [
	{
		id: "user",
		header: "User",
		meta: { heading: true, grow: true },
		cell: ({ row }) => <UserLink userId={row.original.userId} />,
	},
	{
		id: "limit",
		header: "Limit",
		cell: ({ row }) => (
			<>
				<code>{row.original.limitType}</code>{" "}
				{row.original.percent !== null && (
					<Badge tone={row.original.percent >= 100 ? "bad" : "warn"}>{percent(row.original.percent)}</Badge>
				)}
			</>
		),
	},
	{
		id: "at",
		header: "Usage",
		meta: { number: true },
		cell: ({ row }) => `${count(row.original.current)} / ${limitText(row.original.limit)}`,
	},
	{
		id: "when",
		header: "When",
		meta: { number: true, wideOnly: true },
		cell: ({ row }) => <Ago at={row.original.createdAt} />,
	},
];

export function AlertsCard({ refetchInterval }: Live) {
	const alerts = useQuery(api.overview.alerts.queryOptions({ rows: 20 }, { refetchInterval }));
	return (
		<Card title="Alerts" note="Thresholds that usage has crossed, the newest first" flush>
			<Answer of={alerts}>
				{({ readable, configured, alerts: rows }) => (
					<Table
						caption="Alerts"
						columns={columns}
						rows={rows}
						rowId={(row) => row.id}
						maxHeight={440}
						empty={
							!readable ? (
								<Empty icon={BellOff} title="Alerts are not to be seen">
									The dashboard’s database role may not read <code>usage_alert_log</code>.
								</Empty>
							) : configured === 0 ? (
								<Empty icon={BellOff} title="No thresholds are set">
									A row in <code>usage_alerts</code> makes one: a percentage or a value, for one limit or all.
								</Empty>
							) : (
								<Empty icon={Bell} title="No threshold has been crossed" />
							)
						}
					/>
				)}
			</Answer>
		</Card>
	);
}
