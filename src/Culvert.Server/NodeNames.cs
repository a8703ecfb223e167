using System.Text;
using Culvert.Ppp;
using Culvert.Ppp.Authentication;

namespace Culvert.Server;

/// <summary>Names as the configuration and the API write them.</summary>
internal static class NodeNames
{
    /// <summary>How the user was authenticated, in the configuration's words; empty for not at all.</summary>
    public static string Method(PppLink link) => (link.PeerMethod ?? link.LocalMethod) switch
    {
        AuthenticationMethod.Pap => "pap",
        AuthenticationMethod.ChapMd5 => "chap",
        AuthenticationMethod.MsChapV2 => "mschapv2",
        _ => "",
    };

    /// <summary>HellosSent becomes hellos-sent.</summary>
    public static string Kebab(string name)
    {
        var text = new StringBuilder(name.Length + 8);
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsUpper(name[i]) && i > 0 && !char.IsUpper(name[i - 1]))
            {
                text.Append('-');
            }

            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
