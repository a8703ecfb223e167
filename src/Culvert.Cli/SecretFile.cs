using System.Text;

namespace Culvert.Cli;

/// <summary>Passwords and secrets are read from files, so that they stand neither in the process list nor in a shell's history.</summary>
internal static class SecretFile
{
    public static string Read(string file)
    {
        try
        {
            string secret = File.ReadAllText(file, Encoding.UTF8).TrimEnd('\r', '\n');
            return secret.Length > 0 ? secret : throw new Failure($"{file} is empty");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new Failure($"cannot read {file}: {e.Message}");
        }
    }
}
