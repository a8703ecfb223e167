using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Culvert.Cli;

/// <summary>
/// Standard output for much data. Into a pipe, unlike the console's own stream, it says when nobody reads any more, so that a program
/// in front of `head` ends. Into a file it is the console's stream: standard error may share the file and its position.
/// </summary>
internal static class StandardOutput
{
    private const int Descriptor = 1;

    public static Stream Open()
    {
        var stream = new FileStream(new SafeFileHandle(Descriptor, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        return stream.CanSeek ? Console.OpenStandardOutput() : stream;
    }

    /// <param name="isLive">Each line is to be seen at once.</param>
    public static StreamWriter OpenText(bool isLive) =>
        new(Open(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), bufferSize: 1 << 16) { AutoFlush = isLive };
}
