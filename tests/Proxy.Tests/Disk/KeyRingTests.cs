using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Disk;
using Xunit;

namespace Proxy.Tests.Disk;

public sealed class KeyRingTests : IDisposable
{
    private readonly string _file = Path.GetTempFileName();

    public void Dispose() => File.Delete(_file);

    [Fact]
    public void ReadsKeysOfSeveralLines_AndComments()
    {
        var keys = KeyRing.TryRead($"# written by hand\n{Keys.Text(1)}\r\n\n{Keys.Text(2)},{Keys.Text(3)}\n")!.Value;

        Assert.Equal([new RestKey(Bytes(1)).Id, new RestKey(Bytes(2)).Id, new RestKey(Bytes(3)).Id], keys.Select(key => key.Id));
    }

    [Theory]
    [InlineData("")]
    [InlineData("# nothing")]
    [InlineData("secret")]
    [InlineData("AAAA")]
    [InlineData("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB")]
    [InlineData("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\nAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")]
    public void RefusesOtherText(string text) => Assert.Null(KeyRing.TryRead(text));

    [Fact]
    public void FollowsItsFile_AndKeepsItsKeysWhenTheFileIsInvalid()
    {
        Write(Keys.Text(1), 1);
        var ring = new KeyRing(KeyRing.TryReadFile(_file)!.Value, _file, NullLogger.Instance);
        var first = ring.Current.Id;
        Assert.False(ring.Refresh());

        Write("not a key", 2);
        Assert.False(ring.Refresh());
        Assert.Equal(first, ring.Current.Id);

        Write(Keys.Text(2, 1), 3);
        Assert.True(ring.Refresh());
        Assert.NotEqual(first, ring.Current.Id);
        Assert.NotNull(ring.Find(first));
    }

    [Fact]
    public void NeverShowsAKey() => Assert.Equal("RestKey", $"{new RestKey(Bytes(1))}");

    private static byte[] Bytes(int number) => [.. Enumerable.Repeat((byte)number, RestKey.Length)];

    private void Write(string text, int minute)
    {
        File.WriteAllText(_file, text);
        File.SetLastWriteTimeUtc(_file, new(2026, 1, 1, 0, minute, 0, DateTimeKind.Utc));
    }
}
