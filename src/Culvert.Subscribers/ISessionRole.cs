using Culvert.Core;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Subscribers;

/// <summary>What differs between sessions that peers bring to us (<see cref="LnsRole"/>) and those that we dial (<see cref="DialRole"/>).</summary>
internal interface ISessionRole
{
    string ProfileName(Subscriber subscriber);

    /// <summary>The session carries data now: begin PPP in it.</summary>
    void OpenLink(Subscriber subscriber, Timestamp now);

    /// <summary>The peer showed who it is: answer through <see cref="PppLink.Decide(AuthenticationVerdict, Timestamp)"/>.</summary>
    void OnAuthenticationRequested(Subscriber subscriber, AuthenticationRequest request, Timestamp now);

    /// <summary>Give addresses with <see cref="PppLink.StartNetwork"/>, or refuse.</summary>
    void OnNetworkRequested(Subscriber subscriber, Timestamp now);

    void OnNetworkUp(Subscriber subscriber, IpcpResult result, Timestamp now);

    /// <summary>IPCP went down, or the session ends while it was up.</summary>
    void OnNetworkDown(Subscriber subscriber, Timestamp now);

    /// <summary>The session is over and its entry in the data plane gone: give back what it held.</summary>
    void OnEnded(Subscriber subscriber, string reason, Timestamp now);

    /// <summary>How long without data until the session is closed; zero for never.</summary>
    TimeSpan IdleTimeout(Subscriber subscriber);
}
