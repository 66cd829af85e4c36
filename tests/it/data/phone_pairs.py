#!/usr/bin/env python3
"""Writes pairs of phone numbers and whether they reach one subscriber, by PyPI `phonenumbers`.

    pip install phonenumbers==9.0.43
    python3 tests/it/data/phone_pairs.py > tests/it/data/phone_pairs.tsv

A line: default region, two numbers, `same` or `other`. Two numbers are the same if both parse under the region
and country code, national number with its leading zeros, and extension are equal."""
import random

import phonenumbers as p

random.seed(20)
REGIONS = "US GB DE FR IT ES NL BE AT CH SE PL PT IE BR MX AU NZ JP IN RU TR ZA KR".split()
WIDE = {ord(c): 0xFF10 + int(c) for c in "0123456789"}
ARABIC = {ord(c): 0x660 + int(c) for c in "0123456789"}
IDD = {"US": "011", "AU": "0011", "JP": "010", "RU": "810", "BR": "0014", "KR": "001"}


def parsed(text, region):
    try:
        n = p.parse(text, region)
    except p.NumberParseException:
        return None
    return (n.country_code, p.national_significant_number(n), n.extension)


def pairs(region, foreign):
    n = p.example_number_for_type(region, p.PhoneNumberType.MOBILE)
    f = p.example_number_for_type(foreign, p.PhoneNumberType.FIXED_LINE)
    e164 = lambda n: p.format_number(n, p.PhoneNumberFormat.E164)
    national = p.format_number(n, p.PhoneNumberFormat.NATIONAL)
    nsn = p.national_significant_number(n)
    cc = n.country_code
    idd = IDD.get(region, "00")
    prefix = p.phonemetadata.PhoneMetadata.metadata_for_region(region).national_prefix or "0"
    yield e164(n), national
    yield e164(n), f"+{cc} (0){nsn}"
    yield e164(n), f"+{cc} {prefix}{nsn}"
    yield e164(n), national.translate(WIDE)
    yield e164(n), national.translate(ARABIC)
    yield e164(f), idd + e164(f)[1:]
    yield e164(f), f"00{e164(f)[1:]}"
    yield e164(f), f"011{e164(f)[1:]}"
    # The national prefix of the default region within a number that names its country.
    fc, fn = f.country_code, p.national_significant_number(f)
    for inserted in {prefix, "1", "0", "8"}:
        yield e164(f), f"+{fc}{inserted}{fn}"
        yield f"+{fc}{fn[:-1]}", f"+{fc}{inserted}{fn[:-1]}"
    yield f"{national} x123", f"{national} x456"
    yield f"{national} ext. 123", f"{e164(n)};ext=123"
    yield f"{national} x123", national
    yield p.format_number(n, p.PhoneNumberFormat.RFC3966), national
    yield "112", f"+{cc}112"
    yield "12345", "012345"
    yield nsn[-7:], nsn


def main():
    for place, region in enumerate(REGIONS):
        foreign = REGIONS[(place + 7) % len(REGIONS)]
        seen = set()
        for one, two in pairs(region, foreign):
            a, b = parsed(one, region), parsed(two, region)
            if a is None or b is None or one == two or (one, two) in seen:
                continue
            seen.add((one, two))
            print(region, one, two, "same" if a == b else "other", sep="\t")
    for region, one, two in [
        ("US", "+4915112345678", "+495112345678"),
        ("GB", "+44 (0)20 7946 0018", "+442079460018"),
        ("US", "+44 (0)20 7946 0018", "+442079460018"),
        ("IT", "+39 06 698 12345", "0669812345"),
        ("IT", "+39 06 698 12345", "+39 6 698 12345"),
        ("US", "+39 06 698 12345", "+390669812345"),
        ("DE", "00 1 650 469 9999", "+16504699999"),
        ("US", "011 49 30 123456", "+4930123456"),
        ("DE", "011 49 30 123456", "+4930123456"),
    ]:
        a, b = parsed(one, region), parsed(two, region)
        print(region, one, two, "same" if a is not None and a == b else "other", sep="\t")


main()
