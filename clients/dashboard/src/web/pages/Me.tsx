/** What a user sees of his own: limits now, and his history. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ArrowLeft, Infinity as Unlimited } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { UsageDisplay, UsageProvider, useUsageLimits } from "usage-limits/react";
import { api, client, type Outputs } from "../api";
import { useNow } from "../clock";
import { Answer, Badge, Card, Empty, ErrorNote, Segmented, Skeleton } from "../components/basics";
import { Logo, SignOut, ThemeButton } from "../components/Shell";
import { count, nameText, spanText } from "../format";
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
	const source = useMemo(() => ({ getUserLimits: () => client.me.limits.query({ as }) }), [as]);
	return (
		<UsageProvider key={as} source={source} refetchInterval={30_000} statsDays={false}>
			<Usage as={as} />
		</UsageProvider>
	);
}

function Usage({ as }: { as: string | undefined }) {
	const { can } = useServer();
	const [days, setDays] = useState<30 | 90>(30);
	const now = useNow(60_000);
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
							<WhoIAm />
						</div>
					</div>
				</header>
				<Card title="Limits">
					<Limits />
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

type Limits = Outputs["me"]["limits"];

/** Whose page it is, and the tier that counts. */
function WhoIAm() {
	const limits = useUsageLimits().limits as Partial<Limits>;
	if (limits.userId === undefined || limits.tier === undefined) return null;
	return (
		<>
			<span className="breakable">{limits.userId}</span>
			<Badge tone={tierTone(limits.tier)}>{nameText(limits.tier)}</Badge>
		</>
	);
}

const classNames = {
	root: "usage",
	title: "sr-only",
	list: "meters",
	item: "meter",
	heading: "meter-head",
	label: "meter-title",
	value: "meter-value",
	track: "meter-track",
	bar: "meter-bar",
	note: "meter-foot",
};

function Limits() {
	const { limits, refetch } = useUsageLimits();
	const { titles = {}, limits: all = {} } = limits as Partial<Limits>;
	const names = Object.keys(all).sort();
	if (limits.limits && names.length === 0) return <Empty icon={Unlimited} title="Nothing is limited" />;
	return (
		<UsageDisplay
			title="Limits"
			names={names}
			labels={Object.fromEntries(names.map((name) => [name, titles[name] ?? nameText(name)]))}
			classNames={classNames}
			texts={{ duration: spanText, number: count }}
			fallback={<Skeleton lines={6} />}
			renderError={(error) => <ErrorNote error={error} retry={() => void refetch()} />}
		/>
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
