using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary><c>users</c>: who may log in.</summary>
internal static class UsersSection
{
    public static User Read(MapReader map, IReadOnlyList<Profile> profiles)
    {
        var user = new User
        {
            Name = map.RequiredText("name", "alice"),
            Password = map.Secret("password") ?? "",
            Ipv4 = map.Address("ipv4"),
            Routes = SharedKeys.Prefixes(map, "routes"),
            Profile = map.Text("profile"),
        };
        if (!map.Has("password") && !map.Has("password-file"))
        {
            map.Errors.Add(map.Start, $"user '{user.Name}' lacks 'password' (or 'password-file')");
        }

        SharedKeys.CheckProfile(map, user.Profile, profiles);
        return user;
    }
}
