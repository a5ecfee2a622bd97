/** What a user sees of his own: limits now, and his history. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft, Infinity as Unlimited } from "lucide-react";
import { useEffect, useState } from "react";
import { api } from "../api";
import { useNow } from "../clock";
import { Answer, Badge, Card, Empty, Segmented, Skeleton } from "../components/basics";
import { LimitMeter } from "../components/Meter";
import { Logo, SignOut, ThemeButton } from "../components/Shell";
import { count, nameText } from "../format";
import { useServer, useSession } from "../session";
import { tierTone } from "./Users";
import { historyRanges } from "./user/Activity";
import { DailyChart } from "./user/DailyChart";
import { EventList } from "./user/EventList";

const route = getRouteApi("/me");

export function MePage() {
	const { role } = useSession();
	const search = route.useSearch();
	const as = role === "admin" ? search.as : undefined;
	return <Usage key={as} as={as} />;
}

function Usage({ as }: { as: string | undefined }) {
	const { can } = useServer();
	const [days, setDays] = useState<30 | 90>(30);
	const now = useNow(60_000);
	const limits = useQuery(api.me.limits.queryOptions({ as }, { refetchInterval: 30_000 }));
	const history = useQuery(api.me.history.queryOptions({ as, days }));
	const events = useInfiniteQuery(
		api.me.events.infiniteQueryOptions(
			{ as, rows: 20 },
			{ getNextPageParam: (page) => page.next, initialCursor: null },
		),
	);
	useEffect(() => {
		document.title = "Your usage";
	}, []);
	const refetch = () => void limits.refetch();
	return (
		<div className="me">
			<header className="me-head">
				<Logo />
				<span className="row">
					{as !== undefined && (
						<Link
							to="/users/$userId"
							params={{ userId: as }}
							search={{ view: "limits" }}
							className="button button-quiet"
						>
							<ArrowLeft aria-hidden /> Back to the user
						</Link>
					)}
					<SignOut />
					<ThemeButton />
				</span>
			</header>
			<main>
				<header className="page-head">
					<div>
						<h1>Your usage</h1>
						<div className="page-note row wrap">
							{limits.data && (
								<>
									<span className="breakable">{limits.data.userId}</span>{" "}
									<Badge tone={tierTone(limits.data.tier)}>{nameText(limits.data.tier)}</Badge>
								</>
							)}
						</div>
					</div>
				</header>
				<Card title="Limits">
					<Answer of={limits}>
						{(data) =>
							data.limits.length === 0 ? (
								<Empty icon={Unlimited} title="Nothing is limited" />
							) : (
								<div className="meters">
									{data.limits.map((limit) => (
										<LimitMeter key={limit.limitType} limit={limit} onReset={refetch} />
									))}
								</div>
							)
						}
					</Answer>
				</Card>
				{can.credits && <MyCredits as={as} />}
				<Card
					title="History"
					note="Days are UTC"
					actions={<Segmented label="Range" value={days} options={historyRanges} onChange={setDays} />}
				>
					<Answer of={history} loading={<Skeleton height={250} />}>
						{(data) => <DailyChart stats={data} days={days} now={now} />}
					</Answer>
				</Card>
				<Card title="Recent activity" flush>
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
			</main>
		</div>
	);
}

function MyCredits({ as }: { as: string | undefined }) {
	const credits = useQuery(api.me.credits.queryOptions({ as }, { refetchInterval: 30_000 }));
	if (!credits.data) return null;
	return (
		<Card title="Credits">
			<p className="balance balance-inside">
				<strong>{count(credits.data.balance)}</strong> <span className="soft">left</span>
			</p>
		</Card>
	);
}
