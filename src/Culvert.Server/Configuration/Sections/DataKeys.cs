using Culvert.Dataplane;
using Culvert.Subscribers.Policy;

namespace Culvert.Server.Configuration.Sections;

/// <summary>The keys of <c>peers</c> and <c>dial</c> that say how data messages are written, marked and put into order.</summary>
internal static class DataKeys
{
    private static readonly TimeSpan LongestPatience = TimeSpan.FromSeconds(2);

    // RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622.
    private static readonly (string Name, byte Dscp)[] DscpNames =
    [
        ("cs0", 0), ("le", 1), ("cs1", 8), ("af11", 10), ("af12", 12), ("af13", 14), ("cs2", 16), ("af21", 18), ("af22", 20), ("af23", 22),
        ("cs3", 24), ("af31", 26), ("af32", 28), ("af33", 30), ("cs4", 32), ("af41", 34), ("af42", 36), ("af43", 38), ("cs5", 40), ("va", 44),
        ("ef", 46), ("cs6", 48), ("cs7", 56),
    ];

    public static DataPolicy Read(MapReader map)
    {
        DataPolicy defaults = DataPolicy.Default;
        DataPolicy policy = map.Map("dscp", ReadDscp) ?? defaults;
        return policy with
        {
            Ecn = map.Flag("ecn", defaults.Ecn),
            LengthField = map.Flag("length-field", defaults.LengthField),
            Reorder = map.Map("reorder", ReadReorder) ?? defaults.Reorder,
        };
    }

    private static DataPolicy ReadDscp(MapReader map)
    {
        bool copies = map.Text("data") == "copy";
        return DataPolicy.Default with
        {
            ControlDscp = Dscp(map, "control", DataPolicy.DefaultControlDscp, ""),
            DataDscp = copies ? (byte)0 : Dscp(map, "data", 0, "copy, "),
            CopyDscp = copies,
        };
    }

    private static byte Dscp(MapReader map, string key, byte otherwise, string also)
    {
        if (map.Text(key) is not { } text)
        {
            return otherwise;
        }

        foreach ((string name, byte dscp) in DscpNames)
        {
            if (name == text)
            {
                return dscp;
            }
        }

        return byte.TryParse(text, out byte number) && number <= TrafficMarking.HighestDscp
            ? number
            : map.Wrong(key, $"'{text}' is no DSCP; write {also}a number from 0 to {TrafficMarking.HighestDscp}, or a name: {string.Join(", ", DscpNames.Select(n => n.Name))}", otherwise);
    }

    private static ReorderLimits ReadReorder(MapReader map) => new()
    {
        Frames = map.Number("frames", ReorderLimits.Default.Frames, 0, ReorderLimits.MostFrames),
        Patience = map.Duration("patience", ReorderLimits.Default.Patience, LongestPatience),
    };
}
