using System.Runtime.InteropServices;

namespace Proxy.Imaging.Sandbox;

/// <summary>Files that only this user could have written. Only on Linux: elsewhere nothing is stored and nothing is read.</summary>
internal static partial class PrivateFile
{
    private const UnixFileMode OthersMayWrite = UnixFileMode.GroupWrite | UnixFileMode.OtherWrite;

    /// <summary>Reads a file; null when it is missing, or when it or its folder belongs to or can be written by another user.</summary>
    public static byte[]? TryRead(string folder, string name)
    {
        if (!OperatingSystem.IsLinux()) return null;
        var path = Path.Join(folder, name);
        try
        {
            return IsPrivate(folder) && IsPrivate(path) ? File.ReadAllBytes(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Writes a file if its folder is private; creates the folder. A failure costs only that it is written again.</summary>
    public static void TryWrite(string folder, string name, byte[] bytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        var path = Path.Join(folder, name);
        var partial = $"{path}.{Environment.ProcessId}";
        try
        {
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            if (!IsPrivate(folder)) return;
            // Files of other versions are of no use any more.
            foreach (var old in Directory.EnumerateFiles(folder)) File.Delete(old);
            var options = new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            };
            using (var file = new FileStream(partial, options)) file.Write(bytes);
            File.Move(partial, path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The folder is missing, read-only or full.
        }
    }

    private static bool IsPrivate(string path)
    {
        if (!OperatingSystem.IsLinux() || (File.GetUnixFileMode(path) & OthersMayWrite) != 0) return false;
        var status = default(Status);
        try
        {
            return Statx(CurrentDirectory, path, NoFollow, WantsOwner, ref status) == 0 && status.Owner == GetEffectiveUser();
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    private const int CurrentDirectory = -100, NoFollow = 0x100;

    private const uint WantsOwner = 8;

    /// <summary>The beginning of <c>struct statx</c>, which is the same on every architecture.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 256)]
    private struct Status
    {
        public uint Mask, BlockSize;
        public ulong Attributes;
        public uint Links, Owner;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref Status status);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();
}
