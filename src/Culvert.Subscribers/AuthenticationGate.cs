using Culvert.L2tp;

namespace Culvert.Subscribers;

/// <summary>
/// Back-pressure from authentication: while as many users as may be are being judged, new calls are refused with "try again later", so
/// that the LAC can try another LNS at once. Calls that are already being set up go on, so the limit is passed by those.
/// </summary>
internal sealed class AuthenticationGate(L2tpEndpoint endpoint, int limit)
{
    /// <summary>From the next change on.</summary>
    public int Limit { get; set; } = limit;

    public int InFlight { get; private set; }

    /// <summary>After every call into the subscriber's link.</summary>
    public void Note(Subscriber subscriber) => Set(subscriber, subscriber.Session.Owner == subscriber && subscriber.Link.PendingRequest is not null);

    public void Leave(Subscriber subscriber) => Set(subscriber, false);

    private void Set(Subscriber subscriber, bool isBeingJudged)
    {
        if (subscriber.IsBeingJudged != isBeingJudged)
        {
            subscriber.IsBeingJudged = isBeingJudged;
            InFlight += isBeingJudged ? 1 : -1;
            endpoint.DefersCalls = InFlight >= Limit;
        }
    }
}
