import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api";
import { useNow } from "../../clock";
import { Answer, Card, Segmented, Skeleton } from "../../components/basics";
import { DailyChart } from "./DailyChart";
import { EventList } from "./EventList";

export const historyRanges = [
	{ value: 30, label: "30 days" },
	{ value: 90, label: "90 days" },
] as const;

export function Activity({ userId }: { userId: string }) {
	const [days, setDays] = useState<30 | 90>(30);
	const now = useNow(60_000);
	const stats = useQuery(api.users.stats.queryOptions({ userId, days }));
	const events = useInfiniteQuery(
		api.users.events.infiniteQueryOptions(
			{ userId, rows: 50 },
			{ getNextPageParam: (page) => page.next, initialCursor: null },
		),
	);
	return (
		<>
			<Card
				title="Use by day"
				note="Days are UTC"
				actions={<Segmented label="Range" value={days} options={historyRanges} onChange={setDays} />}
			>
				<Answer of={stats} loading={<Skeleton height={250} />}>
					{(data) => <DailyChart stats={data} days={days} now={now} />}
				</Answer>
			</Card>
			<Card title="Events" note="The newest first" flush>
				<Answer of={events}>
					{({ pages }) => (
						<EventList
							pages={pages}
							more={events.hasNextPage}
							busy={events.isFetchingNextPage}
							onMore={() => void events.fetchNextPage()}
						/>
					)}
				</Answer>
			</Card>
		</>
	);
}
