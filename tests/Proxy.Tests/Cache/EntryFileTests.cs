using System.Buffers.Binary;
using System.IO.Hashing;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>The file format of an entry: old versions stay readable, or are a counted miss.</summary>
public sealed class EntryFileTests
{
    /// <summary>An entry of version 1: head and the body 00 01 02 … 0F.</summary>
    private const string Version1 =
        "RFdQRU5UUlkBAAAAygAAABAAAAAAAAAA4soNh8wSKITiB3aCMQaVcpMyPbecAQAAnAr9+2TSwroVAGVhc3RAMDAxMTIyMzM0NDU1"
        + "NjY3NzkAc3R1ZGllcy8xLjIuMy9zZXJpZXMvMS4yLjMuNC9pbnN0YW5jZXMvMS4yLjMuNC41L2ZyYW1lcy82"
        + "GABhcHBsaWNhdGlvbi9vY3RldC1zdHJlYW0BACoJAGltYWdlL2pscxYAMS4yLjg0MC4xMDAwOC4xLjIuNC44MAABAgMEBQYHCAkKCwwNDg8=";

    /// <summary>The same entry in version 2, marked as prefetched.</summary>
    private const string Version2 =
        "RFdQRU5UUlkCAAAAzgAAABAAAAAAAAAA4soNh8wSKITiB3aCMQaVcpMyPbecAQAAuOh/BY8z+7ABAAAAFQBlYXN0QDAwMTEyMjMz"
        + "NDQ1NTY2Nzc5AHN0dWRpZXMvMS4yLjMvc2VyaWVzLzEuMi4zLjQvaW5zdGFuY2VzLzEuMi4zLjQuNS9mcmFtZXMvNhgA"
        + "YXBwbGljYXRpb24vb2N0ZXQtc3RyZWFtAQAqCQBpbWFnZS9qbHMWADEuMi44NDAuMTAwMDguMS4yLjQuODAAAQIDBAUGBwgJCgsMDQ4P";

    private static readonly EntryKey Key = new(
        "east@0011223344556677", "studies/1.2.3/series/1.2.3.4/instances/1.2.3.4.5/frames/6",
        new BodyFormat("application/octet-stream", "*"));

    private static readonly EntryKey Rendered = Key with
    {
        Representation = new(new BodyFormat("image/jpeg", "")) { Parameters = "viewport=512,512&window=40,400,linear" },
    };

    private static readonly EntryHead Head = new("image/jls", "1.2.840.10008.1.2.4.80", 16);

    private static readonly byte[] Body = [.. Enumerable.Range(0, 16).Select(i => (byte)i)];

    private static readonly DateTimeOffset Stored = DateTimeOffset.FromUnixTimeMilliseconds(1_772_600_767_123);

    private static byte[] Written => EntryFile.WriteHead(Key, Head, Body.Length, XxHash128.HashToUInt128(Body), Stored)!;

    [Fact]
    public void ReadsItsOwnHeads()
    {
        foreach (var key in (EntryKey[])[
            Key, Key with { Representation = null }, Key with { Representation = new BodyFormat("application/dicom", "") }, Rendered,
            Key with { Path = "studies/1/bulkdata/é?x=\0" }])
        {
            foreach (var head in (EntryHead[])[Head, Head with { TransferSyntax = null }])
            {
                foreach (var isPrefetched in (bool[])[false, true])
                {
                    var bytes = EntryFile.WriteHead(key, head, Body.Length, 77, Stored, isPrefetched)!;
                    Assert.Equal(
                        new(key, head, bytes.Length, Body.Length, 77, Stored, isPrefetched), EntryFile.ReadHead([.. bytes, 1, 2, 3]));
                }
            }
        }
    }

    [Fact]
    public void ReadsVersion1()
    {
        var file = Convert.FromBase64String(Version1);
        var found = EntryFile.ReadHead(file)!;
        Assert.Equal(
            new(Key, Head, file.Length - Body.Length, Body.Length, XxHash128.HashToUInt128(Body), Stored, IsPrefetched: false), found);
        Assert.Equal(Body, file[found.Start..]);
        Assert.Equal(
            "c4/c47f5b18b8a430e698b9fe15/be561d0c7c45172cccf58879/42684847327a7ae399cfcd6e1c3580fad2672da3", EntryFile.GetPath(Key));
    }

    [Fact]
    public void ReadsVersion2()
    {
        var file = Convert.FromBase64String(Version2);
        var found = EntryFile.ReadHead(file)!;
        Assert.Equal(
            new(Key, Head, file.Length - Body.Length, Body.Length, XxHash128.HashToUInt128(Body), Stored, IsPrefetched: true), found);
        Assert.Equal(Body, file[found.Start..]);
        Assert.Equal(
            EntryFile.WriteHead(Key, Head, Body.Length, XxHash128.HashToUInt128(Body), Stored, isPrefetched: true), file[..found.Start]);
    }

    [Fact]
    public void StoresParametersInAVersionOfTheirOwn()
    {
        var file = EntryFile.WriteHead(Rendered, Head, Body.Length, 77, Stored)!;
        Assert.Equal(EntryFile.VersionWithParameters, file[8]);
        Assert.Equal(Rendered, EntryFile.ReadHead(file)!.Key);
        Assert.Equal(EntryFile.Version, Written[8]);
    }

    [Fact]
    public void StoresEachRepresentationUnderAPathOfItsOwn()
    {
        EntryKey[] keys = [
            Key, Rendered, Rendered with { Representation = Rendered.Representation with { Parameters = "" } },
            Rendered with { Representation = Rendered.Representation with { Parameters = "viewport=256,256" } }];
        Assert.Equal(4, keys.Select(EntryFile.GetPath).Distinct().Count());
        Assert.Single(keys.Select(EntryFile.GetFolder).Distinct());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(int.MaxValue)]
    public async Task CountsAMiss_ForAnotherVersion(int version)
    {
        await using var disk = new DiskLab();
        var key = DiskLab.Key(1, 1);
        disk.Add(key, 1000);
        await disk.SettleAsync();
        var path = disk.Files.Single();
        var bytes = await File.ReadAllBytesAsync(path, TestContext.Current.CancellationToken);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(8), version);
        bytes.AsSpan(48, 8).Clear();
        var start = BinaryPrimitives.ReadInt32LittleEndian(bytes.AsSpan(12));
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(48), XxHash3.HashToUInt64(bytes.AsSpan(0, start)));
        await File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);

        Assert.Null(await disk.ReadAsync(key));
        Assert.Equal(1, disk.Tier.Damaged);
    }

    [Fact]
    public void DetectsEveryFlippedBitAndEveryTruncation()
    {
        var bytes = Written;
        for (var i = 0; i < bytes.Length * 8; i++)
        {
            bytes[i / 8] ^= (byte)(1 << (i % 8));
            Assert.Null(EntryFile.ReadHead(bytes));
            bytes[i / 8] ^= (byte)(1 << (i % 8));
        }
        for (var length = 0; length < bytes.Length; length++) Assert.Null(EntryFile.ReadHead(bytes.AsSpan(0, length)));
        Assert.NotNull(EntryFile.ReadHead(bytes));
    }

    [Fact]
    public void WritesNoHead_WhenTheStringsAreTooLong() =>
        Assert.Null(EntryFile.WriteHead(Key with { Path = new string('a', EntryFile.MaxHeadBytes) }, Head, 1, 1, Stored));

    [Fact]
    public void SharesAFolder_WithinASeriesOnly()
    {
        var other = Key with { Path = Key.Path.Replace("frames/6", "bulkdata/x", StringComparison.Ordinal) };
        Assert.Equal(EntryFile.GetFolder(Key), EntryFile.GetFolder(other));
        Assert.NotEqual(EntryFile.GetPath(Key), EntryFile.GetPath(other));
        Assert.StartsWith(EntryFile.GetStudyFolder("1.2.3"), EntryFile.GetFolder(Key), StringComparison.Ordinal);
        Assert.NotEqual(EntryFile.GetFolder(Key), EntryFile.GetFolder(Key with { Backend = "west@0" }));
    }
}
